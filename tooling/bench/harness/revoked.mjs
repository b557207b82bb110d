// Revoked tokens by number: the same ids in every process and run, in the form of `crypto.randomUUID()`.

import { createHash } from 'node:crypto'
import { audience, issuer } from './issuer.mjs'

/** Unix seconds; far enough that nothing is dropped while it is measured. */
export const until = Math.floor(Date.now() / 1000) + 3600

/** The id of a token. @param {number} number */
export function revokedToken(number) {
  const hex = createHash('sha256').update(String(number)).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}

/** @param {string} tokenId @returns {import('@countersign/tokens').Principal} */
export function principalOf(tokenId) {
  return {
    issuer,
    subject: 'user_01',
    clientId: 'web',
    audience,
    scopes: new Set(['agents:read']),
    session: 'session-1',
    tokenId,
    ancestors: [],
    generations: [0, 0, 0],
    keyId: 'key-1',
    expiresAt: until,
    claims: {},
  }
}
