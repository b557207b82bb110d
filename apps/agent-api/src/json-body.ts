import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { Problem } from './problem.ts'

/** Most bytes of a body. */
const maxBytes = 16_384

/**
 * Reads a JSON body, after the token was looked at: nobody without one makes this service read 16 KiB.
 * Compressed bodies are refused, so that none can grow.
 */
export const jsonBody: readonly [RequestHandler, RequestHandler] = [
  express.json({ limit: maxBytes, inflate: false }),
  (req, _res, next) => {
    if (req.body === undefined) throw new Problem('unsupported_media_type', 'Send JSON, as application/json.')
    next()
  },
]

const byStatus: Readonly<Record<number, Problem>> = {
  400: new Problem('invalid_request', 'The body is not JSON.'),
  413: new Problem('too_large', `A body has at most ${maxBytes} bytes.`),
  415: new Problem('unsupported_media_type', 'Send JSON in UTF-8, not compressed.'),
}

/** What the body reader or the router has against a request becomes a problem; anything else goes on. */
export const toProblem: ErrorRequestHandler = (error, _req, _res, next) => {
  if (error instanceof Problem) return next(error)
  const status: unknown = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined
  if (error instanceof URIError) return next(new Problem('not_found', 'There is no such path.'))
  next(typeof status === 'number' ? (byStatus[status] ?? error) : error)
}
