import * as z from 'zod'
import { importPublicJwk } from '../import-public-jwk.ts'
import { encodeBase64Url } from '../internal/base64url.ts'
import { jwkThumbprint } from '../thumbprint.ts'
import { TokensError } from '../tokens-error.ts'

/** The public members of a key for proofs, nothing else. */
export type DpopPublicJwk =
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string }

/** With the private member: what its owner keeps. A secret. */
export type DpopPrivateJwk = DpopPublicJwk & { readonly d: string }

/** A private key's one ability; a key in hardware or a `CryptoKey` that cannot be exported is one of these. */
export interface DpopKey {
  readonly algorithm: 'EdDSA' | 'ES256'
  readonly publicJwk: DpopPublicJwk
  /** RFC 7638, base64url: what `cnf.jkt` of a token bound to the key says. */
  readonly thumbprint: string
  /** The raw JWS signature, 64 bytes (RFC 7518 section 3.4, RFC 8037 section 3.1). */
  sign(data: Uint8Array): Promise<Uint8Array>
}

const member = z.string().min(1).max(64)
const privateSchema = z.union([
  z.object({ kty: z.literal('OKP'), crv: z.literal('Ed25519'), x: member, d: member }),
  z.object({ kty: z.literal('EC'), crv: z.literal('P-256'), x: member, y: member, d: member }),
])

/**
 * The public members of a key that may make proofs.
 *
 * @throws TokensError `bad_key`: private members, another curve, an unsound key
 */
export function dpopPublicJwk(jwk: unknown): DpopPublicJwk {
  const named = typeof jwk === 'object' && jwk !== null ? { ...jwk, kid: 'proof' } : jwk
  const { kty, crv, x = '', y = '' } = importPublicJwk(named)
  if (kty === 'OKP') return Object.freeze({ kty, crv: 'Ed25519', x })
  if (kty === 'EC' && crv === 'P-256') return Object.freeze({ kty, crv, x, y })
  throw new TokensError('bad_key', 'Proofs are made with Ed25519 or P-256 keys.')
}

const parameters = {
  EdDSA: [{ name: 'Ed25519' }, { name: 'Ed25519' }],
  ES256: [
    { name: 'ECDSA', namedCurve: 'P-256' },
    { name: 'ECDSA', hash: 'SHA-256' },
  ],
} as const

/**
 * A key out of its private JWK. It is checked by a signature, so a private member of another key is noticed here.
 *
 * @throws TokensError `bad_key`; the message never holds the key
 */
export async function importDpopKey(jwk: unknown): Promise<DpopKey> {
  const parsed = privateSchema.safeParse(jwk)
  if (!parsed.success) throw new TokensError('bad_key', 'The key is not a private JWK of Ed25519 or P-256.')
  const { d, ...open } = parsed.data
  const publicJwk = dpopPublicJwk(open)
  const algorithm = publicJwk.kty === 'OKP' ? 'EdDSA' : 'ES256'
  const [imported, signing] = parameters[algorithm]
  const probe = new Uint8Array(32)
  try {
    const key = await crypto.subtle.importKey('jwk', { ...publicJwk, d }, imported, false, ['sign'])
    const sign = async (data: Uint8Array): Promise<Uint8Array> =>
      new Uint8Array(await crypto.subtle.sign(signing, key, new Uint8Array(data)))
    const verifying = await crypto.subtle.importKey('jwk', { ...publicJwk }, imported, false, ['verify'])
    const fits = await crypto.subtle.verify(signing, verifying, new Uint8Array(await sign(probe)), probe)
    if (!fits) throw new TypeError('The private member belongs to another key.')
    return Object.freeze({ algorithm, publicJwk, thumbprint: await jwkThumbprint(publicJwk), sign })
  } catch (cause) {
    throw new TokensError('bad_key', 'The private and the public members are not one key.', { cause })
  }
}

/**
 * Makes a new key pair as a private JWK, for {@link importDpopKey}.
 *
 * @param algorithm ES256 where the other side cannot do Ed25519. @default 'EdDSA'
 */
export async function generateDpopKey(algorithm: DpopKey['algorithm'] = 'EdDSA'): Promise<DpopPrivateJwk> {
  const [generated] = parameters[algorithm]
  const made = await crypto.subtle.generateKey(generated, true, ['sign', 'verify'])
  if (!('privateKey' in made)) throw new TokensError('bad_key', 'The runtime made no key pair.')
  const { x = '', y = '', d = '' } = await crypto.subtle.exportKey('jwk', made.privateKey)
  return algorithm === 'EdDSA' ? { kty: 'OKP', crv: 'Ed25519', x, d } : { kty: 'EC', crv: 'P-256', x, y, d }
}

/** 128 random bits, base64url. */
export function randomProofId(): string {
  return encodeBase64Url(crypto.getRandomValues(new Uint8Array(16)))
}
