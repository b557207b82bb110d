import { createPublicKey, generateKeyPairSync, type JsonWebKey, randomBytes, sign } from 'node:crypto'

/** A public key as Clerk's JWKS lists it. */
export interface ClerkJwk {
  readonly kty: 'RSA'
  readonly use: 'sig'
  readonly alg: 'RS256'
  readonly kid: string
  readonly n: string
  readonly e: string
}

/** A key of a Clerk instance: 2048 bits, RS256. */
export interface SigningKey {
  readonly kid: string
  readonly jwk: ClerkJwk
  /** What Clerk's dashboard calls the JWT public key. */
  readonly pem: string
  /** A compact JWS; `header` goes over the usual one. */
  sign(payload: object, header?: object): string
}

export function createSigningKey(): SigningKey {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const kid = `ins_${randomBytes(12).toString('hex')}`
  const { n = '', e = '' }: JsonWebKey = publicKey.export({ format: 'jwk' })
  return {
    kid,
    jwk: { kty: 'RSA', use: 'sig', alg: 'RS256', kid, n, e },
    pem: createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }).toString(),
    sign(payload, header = {}) {
      const input = [{ alg: 'RS256', cat: sessionCategory, kid, typ: 'JWT', ...header }, payload].map(encode).join('.')
      return `${input}.${sign('RSA-SHA256', Buffer.from(input), privateKey).toString('base64url')}`
    },
  }
}

/** What Clerk writes in the header of a session token to tell it from other JWTs of the same key. */
const sessionCategory = 'cl_B7d4PD111AAA'

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
