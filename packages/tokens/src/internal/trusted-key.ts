import { engine } from '#engine'
import type { Ed25519Engine, SignatureKey } from '../engine-contract.ts'
import type { PublicJwk } from '../key-source.ts'
import { TokensError } from '../tokens-error.ts'
import { decodeBase64Url } from './base64url.ts'
import { isSoundSignature } from './edwards25519.ts'

/** A key of the source, imported once into the engine. */
export interface TrustedKey {
  readonly jwk: PublicJwk
  readonly signature: SignatureKey
  /** True for a signature that this key could have made; decided before the engine is asked. */
  fits(signature: Uint8Array): boolean
  /** True if a header may name this algorithm: the key's own, Ed25519 by both of its names. */
  answersTo(alg: string): boolean
}

/** RFC 7518 section 3.4: two coordinates. */
const ecdsaBytes: Readonly<Record<string, number>> = { ES256: 64, ES384: 96, ES512: 132 }

function rsaBytes(jwk: PublicJwk): number {
  return decodeBase64Url(jwk.n ?? '')?.length ?? 0
}

function isEd25519(alg: string): boolean {
  return alg === 'EdDSA' || alg === 'Ed25519'
}

/** @throws TokensError `bad_key` when the engine does not take the key */
export function trustKey(jwk: PublicJwk, ed25519: Ed25519Engine): TrustedKey {
  try {
    if (jwk.kty === 'OKP') {
      const publicKey = decodeBase64Url(jwk.x ?? '') ?? new Uint8Array()
      return { jwk, signature: ed25519.importKey(publicKey), fits: isSoundSignature, answersTo: isEd25519 }
    }
    const length = ecdsaBytes[jwk.alg] ?? rsaBytes(jwk)
    return {
      jwk,
      signature: engine.importKey(jwk, jwk.alg),
      fits: (signature) => signature.length === length,
      answersTo: (alg) => alg === jwk.alg,
    }
  } catch (cause) {
    throw new TokensError('bad_key', 'The engine does not take a key of the key source.', { cause })
  }
}
