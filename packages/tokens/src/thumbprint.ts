import { calculateJwkThumbprint, type JWK } from 'jose'
import type { PublicJwk } from './key-source.ts'
import { TokensError } from './tokens-error.ts'

/**
 * The SHA-256 thumbprint of a key (RFC 7638), base64url: what our own keys have as `kid`.
 *
 * @throws TokensError `bad_key` when a member that the thumbprint is made of is missing
 */
export async function jwkThumbprint(jwk: Omit<PublicJwk, 'kid' | 'alg'>): Promise<string> {
  const { kty, crv, x, y, n, e } = jwk
  const members = Object.entries({ kty, crv, x, y, n, e }).filter(([, value]) => value !== undefined)
  try {
    return await calculateJwkThumbprint(Object.fromEntries(members) as JWK, 'sha256')
  } catch (cause) {
    throw new TokensError('bad_key', 'The key lacks a member that its thumbprint is made of.', { cause })
  }
}
