import { calculateJwkThumbprint, type JWK } from 'jose'
import type { PublicJwk } from './key-source.ts'
import { TokensError } from './tokens-error.ts'

/**
 * The SHA-256 thumbprint of a key (RFC 7638), base64url: what our own keys have as `kid`.
 *
 * @throws TokensError `bad_key` when a member that the thumbprint is made of is missing
 */
export async function jwkThumbprint(jwk: Omit<PublicJwk, 'kid' | 'alg'>): Promise<string> {
  try {
    return await calculateJwkThumbprint(jwk as JWK, 'sha256')
  } catch (cause) {
    throw new TokensError('bad_key', 'The key lacks a member that its thumbprint is made of.', { cause })
  }
}
