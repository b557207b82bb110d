import { createHash } from 'node:crypto'
import type { PublicJwk } from '@countersign/tokens'
import type { ResolvedKeyPolicy } from './policy.ts'

/** For this long after an emergency revocation caches are asked to come back sooner. */
const afterRevocation = { forSeconds: 3600, maxAgeSeconds: 30 } as const

/** A JWKS made ready to serve. */
export interface JwksBody {
  readonly document: { readonly keys: readonly PublicJwk[] }
  readonly body: string
  readonly etag: string
}

/** Copies what may be public and nothing else, in an order of its own, so that equal sets have equal bytes. */
function allowed({ kty, crv, x, y, kid, use, alg }: PublicJwk): PublicJwk {
  return Object.freeze({
    kty,
    ...(crv === undefined ? {} : { crv }),
    ...(x === undefined ? {} : { x }),
    ...(y === undefined ? {} : { y }),
    kid,
    ...(use === undefined ? {} : { use }),
    alg,
  })
}

export function jwksBody(keys: readonly PublicJwk[]): JwksBody {
  const document = Object.freeze({ keys: Object.freeze(keys.map(allowed)) })
  const body = JSON.stringify(document)
  return { document, body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` }
}

/** @param sinceRevocationSeconds since the last key was revoked; Infinity if none was */
export function cacheControl(policy: ResolvedKeyPolicy, sinceRevocationSeconds: number): string {
  if (sinceRevocationSeconds < afterRevocation.forSeconds * policy.scale) {
    return `public, max-age=${Math.min(afterRevocation.maxAgeSeconds, policy.jwksMaxAgeSeconds)}`
  }
  const parts = ['public', `max-age=${policy.jwksMaxAgeSeconds}`]
  // Absent rather than 0: some caches read a present directive as permission.
  if (policy.staleWhileRevalidateSeconds > 0) parts.push(`stale-while-revalidate=${policy.staleWhileRevalidateSeconds}`)
  if (policy.staleIfErrorSeconds > 0) parts.push(`stale-if-error=${policy.staleIfErrorSeconds}`)
  return parts.join(', ')
}

export function jwksHeaders(etag: string, caching: string): Readonly<Record<string, string>> {
  return {
    'Content-Type': 'application/jwk-set+json',
    'Cache-Control': caching,
    ETag: etag,
    'Access-Control-Allow-Origin': '*',
  }
}
