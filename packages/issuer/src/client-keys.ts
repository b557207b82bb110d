import { importPublicJwk, isTokensError, jwkThumbprint } from '@countersign/tokens'
import { IssuerError } from './errors.ts'
import type { ClientKey } from './ports.ts'

/**
 * The public key of a client as it is stored.
 * @param jwk Ed25519 (RFC 8037), public; without `kid` it is called by its thumbprint
 * @throws IssuerError `invalid_option`
 */
export async function newClientKey(jwk: Readonly<Record<string, unknown>>, now: number): Promise<ClientKey> {
  try {
    const { kty, crv, x } = jwk
    if (kty !== 'OKP' || crv !== 'Ed25519') throw refuse('only Ed25519 is accepted')
    const { kid = await jwkThumbprint({ kty, crv, x: String(x) }) } = jwk
    const key = importPublicJwk({ ...jwk, kid })
    if (key.x === undefined) throw refuse('the key has no "x"')
    return { kid: key.kid, x: key.x, createdAt: now, expiresAt: null }
  } catch (cause) {
    if (!isTokensError(cause)) throw cause
    throw refuse(cause.message, { cause })
  }
}

function refuse(message: string, options?: ErrorOptions): IssuerError {
  return new IssuerError('invalid_option', `publicKey: ${message}`, options)
}
