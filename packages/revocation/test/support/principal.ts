import type { Principal } from '@countersign/tokens'
import { issuer, NOW } from './feed.ts'

export function principal(change: Partial<Principal> = {}): Principal {
  return {
    issuer,
    subject: 'user_1',
    clientId: 'web',
    audience: 'agent-api',
    scopes: new Set(['agents:read']),
    session: 'sid-1',
    tokenId: 'jti-1',
    ancestors: [],
    generations: [0, 0, 0],
    keyId: 'key-1',
    issuedAt: NOW,
    expiresAt: NOW + 600,
    claims: {},
    ...change,
  }
}
