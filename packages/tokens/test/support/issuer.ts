import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import type { AccessTokenClaims, TokenSigner } from '../../src/index.ts'

export const NOW = 1_800_000_000

export const goodClaims: AccessTokenClaims = {
  iss: 'https://auth.example.com',
  sub: 'user_1',
  aud: 'agent-api',
  exp: NOW + 600,
  iat: NOW,
  jti: 'token_1',
  client_id: 'web',
  scope: 'agents:read chat:write',
}

export interface TestKey {
  readonly kid: string
  readonly privateKey: KeyObject
  readonly jwk: Readonly<Record<string, unknown>>
  readonly signer: TokenSigner
}

function signerOf(
  kid: string,
  algorithm: TokenSigner['algorithm'],
  signSync: (data: Uint8Array) => Uint8Array,
): TokenSigner {
  return { kid, algorithm, signSync, sign: async (data) => signSync(data) }
}

export function ed25519Key(kid = 'k1'): TestKey {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'EdDSA', use: 'sig' }
  return { kid, privateKey, jwk, signer: signerOf(kid, 'EdDSA', (data) => sign(null, data, privateKey)) }
}

export function es256Key(kid = 'es'): TestKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'ES256', use: 'sig' }
  const signSync = (data: Uint8Array): Uint8Array =>
    sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return { kid, privateKey, jwk, signer: signerOf(kid, 'ES256', signSync) }
}

export function base64url(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
}

/** Signs whatever it is given: header and payload as objects or as raw text. */
export function forge(header: unknown, payload: unknown, key: TestKey): string {
  const input = `${base64url(header)}.${base64url(payload)}`
  return `${input}.${Buffer.from(key.signer.signSync?.(Buffer.from(input)) ?? []).toString('base64url')}`
}

/** A good token but for these members. */
export function tokenWith(claims: Record<string, unknown>, key: TestKey, header: Record<string, unknown> = {}): string {
  return forge({ alg: key.signer.algorithm, typ: 'at+jwt', kid: key.kid, ...header }, { ...goodClaims, ...claims }, key)
}
