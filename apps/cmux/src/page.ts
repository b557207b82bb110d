import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import express, { type RequestHandler, Router } from 'express'

/** Nothing but what cmux itself serves: no inline script or style, no frame, no form that is sent anywhere. */
const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

/** For every answer; what answers otherwise says so itself. */
export const securityHeaders: RequestHandler = (_req, res, next) => {
  res.set({
    'Cache-Control': 'no-store',
    'Content-Security-Policy': contentSecurityPolicy,
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'DENY',
  })
  next()
}

const sources = new URL('../src/web/', import.meta.url)
const compiled = new URL('../dist/web/', import.meta.url)
const files = {
  index: false,
  redirect: false,
  dotfiles: 'ignore',
  setHeaders: (res: ServerResponse) => res.setHeader('Cache-Control', 'no-cache'),
} as const

/** The web page: one document, its style, its scripts, and the WebSocket client as it is published. */
export function page(): Router {
  const router = Router()
  for (const [path, file, type] of [
    ['/', 'index.html', 'html'],
    ['/assets/style.css', 'style.css', 'css'],
    ['/assets/icon.svg', 'icon.svg', 'svg'],
  ] as const) {
    const text = readFileSync(new URL(file, sources), 'utf8')
    router.get(path, (_req, res) => void res.set('Cache-Control', 'no-cache').type(type).send(text))
  }
  const client = dirname(dirname(fileURLToPath(import.meta.resolve('@countersign/websocket/client'))))
  router.use('/assets/websocket', only(/^\/(?:client\/)?[\w-]+\.js$/), express.static(client, files))
  router.use('/assets', only(/^\/[\w-]+\.js$/), express.static(fileURLToPath(compiled), files))
  return router
}

/** Leaves everything else to be not found. */
function only(paths: RegExp): RequestHandler {
  return (req, _res, next) => (paths.test(req.path) ? next() : next('router'))
}
