import type { ClientRecord, IssuedRecord, RefreshRecord, SessionRecord, UserRecord } from '@countersign/issuer'

export const NOW = 1_700_000_000

export const user: UserRecord = {
  id: 'ada',
  identifier: 'ada@example.com',
  passwordHash: 'hash',
  generation: 0,
  synthetic: false,
  scopes: null,
  createdAt: NOW,
  disabledAt: null,
}

export const client: ClientRecord = {
  id: 'web',
  name: 'web',
  type: 'public',
  firstParty: true,
  grants: ['sign_in'],
  audiences: ['agent-api'],
  scopes: null,
  origins: [],
  refreshDelivery: 'body',
  secrets: [],
  keys: [],
  generation: 0,
  synthetic: false,
  createdAt: NOW,
  disabledAt: null,
}

export const session = (id: string): SessionRecord => ({
  id,
  userId: 'ada',
  clientId: 'web',
  audience: 'agent-api',
  scope: 'agents:read',
  generations: [0, 0, 0],
  createdAt: NOW,
  expiresAt: NOW + 86_400,
  endedAt: null,
  endReason: null,
})

export const refresh = (hash: string, sessionId: string): RefreshRecord => ({
  hash,
  sessionId,
  createdAt: NOW,
  expiresAt: NOW + 3_600,
  spentAt: null,
})

export const issued = (jti: string, sessionId = 'session'): IssuedRecord => ({
  jti,
  sessionId,
  kid: 'kid',
  audience: 'agent-api',
  clientId: 'web',
  subject: 'ada',
  issuedAt: NOW,
  expiresAt: NOW + 600,
})
