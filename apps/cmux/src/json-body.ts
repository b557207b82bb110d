import express, { type ErrorRequestHandler, type RequestHandler } from 'express'
import { Problem } from './problem.ts'

const maxBytes = 32_768

/** Reads a JSON body, after the token was looked at. Compressed bodies are refused, so that none can grow. */
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

/** Answers what went wrong; what is no problem of the request's is reported and answered 500. */
export function answerErrors(onFault: (error: unknown) => void): ErrorRequestHandler {
  return (error, _req, res, _next) => {
    const problem = problemOf(error)
    if (problem === undefined) onFault(error)
    if (res.headersSent) {
      res.destroy()
      return
    }
    const body =
      problem === undefined
        ? { error: 'server_error', error_description: 'The request could not be answered.' }
        : { error: problem.code, error_description: problem.message }
    res.status(problem?.status ?? 500).json(body)
  }
}

function problemOf(error: unknown): Problem | undefined {
  if (error instanceof Problem) return error
  if (error instanceof URIError) return new Problem('not_found', 'There is no such path.')
  const status: unknown = typeof error === 'object' && error !== null && 'status' in error ? error.status : undefined
  return typeof status === 'number' ? byStatus[status] : undefined
}
