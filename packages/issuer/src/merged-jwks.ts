import { createHash } from 'node:crypto'
import type { KeyRing, PublishedJwks } from '@countersign/keys'

/**
 * All token rings share one JWKS. A single ring's is served as it is; several are joined, with the shortest of their
 * cache lives, and joined anew only when one of them changed.
 */
export function createMergedJwks(rings: readonly KeyRing[]): () => PublishedJwks {
  const [first] = rings
  if (first !== undefined && rings.length === 1) {
    // A copy of this moment: the ring changes its fields in place.
    return () => ({
      document: first.jwks.document,
      body: first.jwks.body,
      etag: first.jwks.etag,
      headers: first.jwks.headers,
    })
  }
  let joinedFrom = ''
  let joined: PublishedJwks | undefined
  return () => {
    const from = rings.map(({ jwks }) => jwks.etag + (jwks.headers['Cache-Control'] ?? '')).join()
    if (joined === undefined || joinedFrom !== from) {
      joined = join(rings.map(({ jwks }) => jwks))
      joinedFrom = from
    }
    return joined
  }
}

function join(parts: readonly PublishedJwks[]): PublishedJwks {
  const document = { keys: parts.flatMap((part) => [...part.document.keys]) }
  const body = `{"keys":[${parts.flatMap((part) => part.document.keys.map((key) => JSON.stringify(key))).join(',')}]}`
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`
  const shortest = parts.reduce((one, other) => (maxAge(other) < maxAge(one) ? other : one))
  return { document, body, etag, headers: { ...shortest.headers, ETag: etag } }
}

function maxAge(part: PublishedJwks): number {
  return Number(/max-age=(\d+)/.exec(part.headers['Cache-Control'] ?? '')?.[1] ?? 0)
}
