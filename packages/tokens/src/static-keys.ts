import * as z from 'zod'
import { importPublicJwk } from './import-public-jwk.ts'
import type { KeySource, PublicJwk } from './key-source.ts'
import { isTokensError, TokensError } from './tokens-error.ts'

const setSchema = z.object({ keys: z.array(z.unknown()).min(1).max(32) })

function importKey(input: unknown, index: number): PublicJwk {
  try {
    return importPublicJwk(input)
  } catch (cause) {
    throw isTokensError(cause) ? new TokensError(cause.code, `keys[${index}]: ${cause.message}`) : cause
  }
}

/**
 * The keys of a JWKS that is part of the configuration. They never change; make another source for other keys.
 *
 * @param jwks `{ keys: [...] }` (RFC 7517 section 5), 1 to 32 keys, each usable, no two with one `kid`
 * @throws TokensError `bad_key`, naming the key by its place
 */
export function staticKeys(jwks: unknown): KeySource {
  const parsed = setSchema.safeParse(jwks)
  if (!parsed.success) throw new TokensError('bad_key', 'A JWKS is { keys: [...] } with 1 to 32 keys.')
  const byKid = new Map<string, PublicJwk>()
  for (const [index, input] of parsed.data.keys.entries()) {
    const key = importKey(input, index)
    if (byKid.has(key.kid)) throw new TokensError('bad_key', `keys[${index}]: Two keys have the same kid.`)
    byKid.set(key.kid, key)
  }
  return { get: (kid) => byKid.get(kid), load: async (kid) => byKid.get(kid), kids: () => [...byKid.keys()] }
}
