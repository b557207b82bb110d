import express, { type RequestHandler } from 'express'
import { Problem } from './problem.ts'

/** Most bytes of a body, if the route does not say. */
const usualBytes = 16_384

/**
 * Reads a JSON body, after the token was looked at: nobody without one makes a service read it. Compressed bodies are
 * refused, so that none can grow.
 */
export function jsonBody(maxBytes: number = usualBytes): readonly [RequestHandler, RequestHandler] {
  return [
    express.json({ limit: maxBytes, inflate: false }),
    (req, _res, next) => {
      if (req.body === undefined) throw new Problem('unsupported_media_type', 'Send JSON, as application/json.')
      next()
    },
  ]
}
