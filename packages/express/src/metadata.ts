import type { Guard } from '@countersign/guard'
import { metadataPath, protectedResourceMetadata, resourceMetadataUrl } from '@countersign/guard/http'
import type { RequestHandler } from 'express'

/** Seconds that a client may keep the document. */
const maxAgeSeconds = 300

/** Serves the consumer's RFC 9728 document; every other path goes on to the next handler. */
export function metadataHandler(guard: Guard): RequestHandler {
  const document = protectedResourceMetadata(guard)
  const own = resourceMetadataUrl(guard)
  const paths = new Set([metadataPath, ...(own === undefined ? [] : [new URL(own).pathname])])
  return (req, res, next) => {
    if (!paths.has(req.path)) {
      next()
      return
    }
    // Public, and read by browser clients of any origin.
    res.set('Access-Control-Allow-Origin', '*')
    if (req.method === 'OPTIONS') {
      // Those that name their protocol's version in a header, as MCP's do, ask first.
      res.status(204).set({ 'Access-Control-Allow-Methods': 'GET, HEAD', 'Access-Control-Allow-Headers': '*' }).end()
      return
    }
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      res.status(405).set('Allow', 'GET, HEAD, OPTIONS').json({ error: 'method_not_allowed' })
      return
    }
    res.set('Cache-Control', `public, max-age=${maxAgeSeconds}`).json(document)
  }
}
