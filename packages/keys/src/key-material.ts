import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { isSealingError, type KekSource, open, seal } from '@countersign/sealing'
import { importPublicJwk, jwkThumbprint, type PublicJwk } from '@countersign/tokens'
import type { KeyRecord, KeyRingDocument } from './document.ts'
import { KeysError } from './keys-error.ts'
import type { MintedKey } from './transitions.ts'

/** RFC 7517 section 7: the media type of an encrypted JWK's content. */
const contentType = 'jwk+json'

/** What a private key is sealed for: a blob moved to another key, issuer or purpose does not open there. */
type Belonging = Pick<KeyRingDocument, 'issuer' | 'purpose' | 'algorithm'>

function publicHalf(key: KeyObject): Omit<PublicJwk, 'kid' | 'alg'> {
  const { kty, crv, x, y } = createPublicKey(key).export({ format: 'jwk' })
  if (kty === 'OKP' && crv === 'Ed25519' && x !== undefined) return { kty, crv, x }
  if (kty === 'EC' && crv === 'P-256' && x !== undefined && y !== undefined) return { kty, crv, x, y }
  throw new KeysError('key_not_ours', `a sealed key is neither Ed25519 nor P-256`)
}

async function publicJwk(key: KeyObject, algorithm: KeyRingDocument['algorithm']): Promise<PublicJwk> {
  const half = publicHalf(key)
  return importPublicJwk({ ...half, kid: await jwkThumbprint(half), use: 'sig', alg: algorithm })
}

async function sealPrivateKey(kid: string, key: KeyObject, belonging: Belonging, kek: KekSource): Promise<string> {
  const bytes = Buffer.from(JSON.stringify(key.export({ format: 'jwk' })))
  try {
    const context = { kid, issuer: belonging.issuer, purpose: belonging.purpose }
    return await seal(bytes, { kek, contentType, context })
  } finally {
    bytes.fill(0)
  }
}

/** A fresh key pair, its private half sealed. */
export async function mintKey(belonging: Belonging, kek: KekSource): Promise<MintedKey> {
  const { privateKey } =
    belonging.algorithm === 'EdDSA'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = await publicJwk(privateKey, belonging.algorithm)
  return { kid: jwk.kid, publicJwk: jwk, sealedPrivateKey: await sealPrivateKey(jwk.kid, privateKey, belonging, kek) }
}

/** A key whose private half was opened, and whose public half was derived from it rather than believed. */
export interface OpenedKey {
  readonly publicJwk: PublicJwk
  readonly privateKey: KeyObject
}

/** Seals a private key anew under the current key-encryption key; the key itself does not change. */
export async function resealKey(record: KeyRecord, belonging: Belonging, kek: KekSource): Promise<string> {
  const { privateKey } = await openKey(record, belonging, kek)
  return await sealPrivateKey(record.kid, privateKey, belonging, kek)
}

/**
 * Opens a key of the ring. That its public half comes out of the sealed one is what keeps somebody who can write to the
 * store, but has no key-encryption key, from publishing a key of their own.
 *
 * @throws KeysError `key_not_ours`
 */
export async function openKey(record: KeyRecord, belonging: Belonging, kek: KekSource): Promise<OpenedKey> {
  const { kid, sealedPrivateKey } = record
  if (sealedPrivateKey === undefined) throw new KeysError('key_not_ours', `the key ${kid} has no private half`)
  try {
    const context = { kid, issuer: belonging.issuer, purpose: belonging.purpose }
    const bytes = await open(sealedPrivateKey, { kek, contentType, context })
    let privateKey: KeyObject
    try {
      privateKey = createPrivateKey({ key: JSON.parse(Buffer.from(bytes).toString('utf8')), format: 'jwk' })
    } finally {
      bytes.fill(0)
    }
    const jwk = await publicJwk(privateKey, belonging.algorithm)
    const claimed = record.publicJwk
    const same = jwk.kid === kid && claimed.kid === kid && claimed.x === jwk.x && claimed.y === jwk.y
    if (!same || claimed.kty !== jwk.kty || claimed.crv !== jwk.crv || claimed.alg !== jwk.alg) {
      throw new KeysError('key_not_ours', `the key ${kid} is not the one that was sealed under its id`)
    }
    return { publicJwk: jwk, privateKey }
  } catch (error) {
    if (error instanceof KeysError) throw error
    // A key-encryption key that may not be read is mended otherwise than one that is wrong.
    const why = isSealingError(error) ? `: ${error.message}` : ''
    throw new KeysError('key_not_ours', `the key ${kid} cannot be opened${why}`, { cause: error })
  }
}

/** The raw JWS signature (RFC 8037 section 3.1, RFC 7518 section 3.4): 64 bytes for both. */
export function signRaw(algorithm: KeyRingDocument['algorithm'], data: Uint8Array, key: KeyObject): Uint8Array {
  return algorithm === 'EdDSA' ? sign(null, data, key) : sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' })
}
