// One key and the tokens of one issuer, for every benchmark that verifies: ours in shape and size, 712 characters.

import { createPrivateKey, createPublicKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { signAccessTokenSync } from '@countersign/tokens'

export const issuer = 'https://auth.eu-central.example.com'
export const audience = 'agent-api'
export const scope = 'agents:read agents:run'

/** @typedef {ReturnType<typeof makeKey>} Key */

export function makeKey() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return keyFrom(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), publicKey)
}

/** @param {string} privatePem @param {import('node:crypto').KeyObject} [publicKey] */
export function keyFrom(privatePem, publicKey = createPublicKey(privatePem)) {
  const privateKey = createPrivateKey(privatePem)
  const kid = 'r4dYqSLqGBJq1Ov3CRGBQ1fFZbTmMmGTcb2GDTxVGq4'
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid, alg: 'EdDSA', use: 'sig' }
  /** @param {Uint8Array} data */
  const signSync = (data) => sign(null, data, privateKey)
  return {
    kid,
    jwk,
    publicKey,
    privateKey,
    privatePem,
    publicPem: publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    signer: {
      kid,
      algorithm: /** @type {const} */ ('EdDSA'),
      signSync,
      sign: async (/** @type {Uint8Array} */ data) => signSync(data),
    },
  }
}

/** @param {Partial<import('@countersign/tokens').AccessTokenClaims>} [change] */
export function makeClaims(change) {
  const now = Math.floor(Date.now() / 1000)
  return {
    iss: issuer,
    sub: `user_${randomUUID()}`,
    aud: audience,
    exp: now + 3600,
    iat: now,
    jti: randomUUID(),
    client_id: 'sa_6b0a7d1e-8f42-4c55-9d3a-2e71c0b9f8d4',
    scope,
    sid: randomUUID(),
    org_id: 'org_01HZX4J5QW8F2M7T9B3C6D1EKN',
    gen: [0, 312, 1287],
    ...change,
  }
}

/**
 * @param {Key} key
 * @param {number} count
 */
export function makeTokens(key, count) {
  return Array.from({ length: count }, () => signAccessTokenSync(makeClaims(), key.signer))
}
