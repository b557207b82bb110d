import type { ServerResponse } from 'node:http'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pageFiles, pageHeaders } from '@countersign-apps/kit'
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

/** The web page: one document, its style, its scripts and what they share with other apps', and the WebSocket client as it is published. */
export function page(): Router {
  const router = Router()
  router.use(pageFiles(sources))
  const client = dirname(dirname(fileURLToPath(import.meta.resolve('@countersign/websocket/client'))))
  router.use('/assets/websocket', only(/^\/(?:client\/)?[\w-]+\.js$/), express.static(client, files))
  const kit = dirname(fileURLToPath(import.meta.resolve('@countersign-apps/kit/web')))
  router.use('/assets/kit', only(/^\/[\w-]+\.js$/), express.static(kit, files))
  router.use('/assets', only(/^\/[\w-]+\.js$/), express.static(fileURLToPath(compiled), files))
  return router
}

/** Leaves everything else to be not found. */
function only(paths: RegExp): RequestHandler {
  return (req, _res, next) => (paths.test(req.path) ? next() : next('router'))
}
