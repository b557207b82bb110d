import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pageHeaders, styleSheet } from '@countersign-apps/kit'
import express, { type RequestHandler, Router } from 'express'

/** For every answer; what answers otherwise says so itself. */
export const securityHeaders: readonly RequestHandler[] = [
  pageHeaders({ forms: false }),
  (_req, res, next) => {
    res.set({ 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff' })
    next()
  },
]

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
    const source = new URL(file, sources)
    const text = type === 'css' ? styleSheet(source) : readFileSync(source, 'utf8')
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
