import { Problem } from '@countersign-apps/kit'
import express, { type RequestHandler } from 'express'

const mostBytes = 8_192
const mostFields = 10

/**
 * For every form: it must come from a page of this console. A browser says whence on each POST, and a page of another site
 * cannot make it say otherwise; where it says nothing, it is refused. Before the body is read.
 */
export function ownForm(origins: ReadonlySet<string>): readonly [RequestHandler, RequestHandler] {
  return [
    (req, _res, next) => {
      const site = req.get('sec-fetch-site')
      const isOwn = origins.has(req.get('origin') ?? '') && (site === undefined || site === 'same-origin')
      if (!isOwn) throw new Problem('forbidden', 'The form did not come from this console.')
      if (req.is('application/x-www-form-urlencoded') === false) {
        throw new Problem('unsupported_media_type', 'Send a form.')
      }
      next()
    },
    express.urlencoded({ extended: false, limit: mostBytes, parameterLimit: mostFields, inflate: false }),
  ]
}
