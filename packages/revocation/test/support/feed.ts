import { generateKeyPairSync, sign } from 'node:crypto'
import { type KeySource, type PublicJwk, staticKeys, type TokenSigner } from '@countersign/tokens'
import type { FeedHead, RevocationEntry } from '../../src/index.ts'

export const issuer = 'https://auth.example.com'
export const NOW = 1_800_000_000

export interface FeedKey {
  readonly jwk: PublicJwk
  readonly signer: TokenSigner
  readonly keys: KeySource
}

export function makeFeedKey(kid = 'feed-1'): FeedKey {
  const pair = generateKeyPairSync('ed25519')
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid, alg: 'EdDSA', use: 'sig' } as unknown as PublicJwk
  const signer: TokenSigner = { kid, algorithm: 'EdDSA', sign: async (data) => sign(null, data, pair.privateKey) }
  return { jwk, signer, keys: staticKeys({ keys: [jwk] }) }
}

export function head(change: Partial<FeedHead> = {}): FeedHead {
  return { issuer, position: { epoch: 1, seq: 0 }, count: 0, digest: '0'.repeat(16), issuedAt: NOW, ...change }
}

export const jti = (id: string, until = NOW + 600): RevocationEntry => ({ type: 'jti', id, until })
export const sid = (id: string, until = NOW + 600): RevocationEntry => ({ type: 'sid', id, until })
