import type { StoreUnderTest, TestRunner } from '@countersign/keys/testing'
import type { ClientRecord, IssuedRecord, IssuerStores, RefreshRecord, SessionRecord, UserRecord } from '../ports.ts'

export const NOW = 1_700_000_000
/** How long a revocation is remembered. */
export const UNTIL: number = NOW + 7_200

export const user = (id: string, more: Partial<UserRecord> = {}): UserRecord => ({
  id,
  identifier: `${id}@example.com`,
  passwordHash: '$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA',
  generation: 0,
  synthetic: false,
  scopes: null,
  createdAt: NOW,
  disabledAt: null,
  ...more,
})

export const client = (id: string, more: Partial<ClientRecord> = {}): ClientRecord => ({
  id,
  name: `name of ${id}`,
  type: 'confidential',
  firstParty: false,
  grants: ['client_credentials'],
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
  ...more,
})

export const session = (id: string, more: Partial<SessionRecord> = {}): SessionRecord => ({
  id,
  userId: 'ada',
  clientId: 'web',
  audience: 'agent-api',
  scope: 'agents:read chat:write',
  generations: [0, 0, 0],
  createdAt: NOW,
  expiresAt: NOW + 90 * 86_400,
  endedAt: null,
  endReason: null,
  ...more,
})

export const refresh = (hash: string, more: Partial<RefreshRecord> = {}): RefreshRecord => ({
  hash,
  sessionId: 'session',
  createdAt: NOW,
  expiresAt: NOW + 30 * 86_400,
  spentAt: null,
  ...more,
})

export const issued = (jti: string, more: Partial<IssuedRecord> = {}): IssuedRecord => ({
  jti,
  sessionId: 'session',
  kid: 'kid',
  audience: 'agent-api',
  clientId: 'web',
  subject: 'ada',
  issuedAt: NOW,
  expiresAt: NOW + 600,
  ...more,
})

/** Text that must come back as it went in. */
export const unusualText: readonly string[] = [
  'ada lovelace',
  'ädä@exämple.com',
  'ключ',
  '鍵',
  '🔑',
  '\u{10FFFF}',
  'e\u0301',
  '\u202Egnp.exe',
  "'; DROP TABLE users; --",
  '%_?$1:name@{}"\\',
  '__proto__',
  'line\nbreak\ttab',
  ' ',
  'x'.repeat(4_000),
]

/** Text that has no UTF-8 form of its own, or that some engine cannot hold. */
export const impossibleText: readonly string[] = ['\uD800', 'a\uDC00b', 'nul\0nul']

/** One user `ada` and one client `web`. */
export async function addAccounts(stores: IssuerStores): Promise<void> {
  await stores.users.add(user('ada'))
  await stores.clients.add(client('web'))
}

/** A session of ada's through web, its refresh token `${id}/0` and its access token `${id}/jti`. */
export async function openSession(
  stores: IssuerStores,
  id: string,
  more: Partial<SessionRecord> = {},
): Promise<boolean> {
  return await stores.sessions.open({
    session: session(id, more),
    refresh: refresh(`${id}/0`, { sessionId: id }),
    issued: issued(`${id}/jti`, { sessionId: id }),
  })
}

export type Test = (title: string, body: (opened: StoreUnderTest<IssuerStores>) => Promise<void>) => void

export function testWith(open: () => Promise<StoreUnderTest<IssuerStores>>, runner: TestRunner): Test {
  return (title, body) => {
    runner.it(title, async () => {
      const opened = await open()
      try {
        await body(opened)
      } finally {
        await opened.close()
      }
    })
  }
}
