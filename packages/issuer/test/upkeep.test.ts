import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { canaryPrefix } from '../src/index.ts'
import { claimsOf, type Service, signInBody, startService, withAda } from './service.ts'

let service: Service
let ada: { clientId: string; userId: string }
beforeEach(async () => {
  service = await startService({ feed: true })
  ada = await withAda(service)
  await service.issuer.feed?.started
})
afterEach(() => service.close())

const compared = () => service.events.filter((event) => event.type === 'revocations_compared')
const until = async (done: () => boolean) => {
  while (!done()) await new Promise((turn) => setImmediate(turn))
}
const inForce = async () =>
  (await service.stores.revocations.snapshot()).entries.filter(
    (entry) => entry.type !== 'jti' || !entry.id.startsWith(canaryPrefix),
  )

/** As a program would leave it that does not know of the log. */
async function endPastTheLog(): Promise<void> {
  const now = service.clock.now()
  await service.stores.sessions.open({
    session: {
      id: 'old',
      userId: ada.userId,
      clientId: ada.clientId,
      audience: 'agent-api',
      scope: '',
      generations: [0, 0, 0],
      createdAt: now,
      expiresAt: now + 1_000,
      endedAt: now,
      endReason: 'revoked',
    },
    refresh: null,
    issued: {
      jti: 'old',
      sessionId: 'old',
      kid: 'k',
      audience: 'agent-api',
      clientId: ada.clientId,
      subject: ada.userId,
      issuedAt: now,
      expiresAt: now + 600,
    },
  })
}

describe('the comparison', () => {
  it('counts what is missing in the log, and puts it there within a minute', async () => {
    await endPastTheLog()
    service.clock.pass(30)
    await until(() => compared().length === 1)
    expect(compared()).toMatchObject([{ missing: 1 }])
    await until(() => service.audits.some(({ action }) => action === 'revocation.repair'))
    expect(await inForce()).toMatchObject([{ type: 'sid', id: 'old' }])
    service.clock.pass(30)
    await until(() => compared().length === 2)
    expect(compared().at(-1)).toMatchObject({ missing: 0 })
  })

  it('finds nothing after revocations the usual way', async () => {
    const { body } = await service.postJson('/auth/sign-in', signInBody())
    await service.issuer.sessions.revoke(String(claimsOf(body.access_token).sid))
    await service.issuer.users.disable('ada@example.com')
    await service.issuer.clients.disable('countersign-cli')
    service.clock.pass(30)
    await until(() => compared().length === 1)
    expect(compared()).toMatchObject([{ missing: 0 }])
  })

  it('finds a key that its ring revoked without a word to the log', async () => {
    const [ring] = service.rings
    const kid = ring?.signer.kid ?? ''
    await ring?.revoke(kid, { reason: 'by hand', scope: 'key' })
    service.clock.pass(30)
    await until(() => compared().length === 1)
    expect(compared()).toMatchObject([{ missing: 1 }])
    await until(() => service.issuer.feed?.isKeyRevoked(kid) === true)
    expect(await inForce()).toMatchObject([{ type: 'kid', id: kid, successor: { kid: ring?.signer.kid } }])
  })

  it('repairs nothing that it cannot record', async () => {
    await endPastTheLog()
    service.failAudit(new Error('disk full'))
    service.clock.pass(30)
    await until(() => service.events.some((event) => event.type === 'fault' && event.part === 'feed'))
    expect(await inForce()).toEqual([])
  })
})

describe('the canary', () => {
  it('flies every 10 s, is timed as it comes out of the feed, and is gone a minute later', async () => {
    service.clock.pass(10)
    await until(() => service.events.some(({ type }) => type === 'canary_seen'))
    expect(service.events.find(({ type }) => type === 'canary_seen')).toMatchObject({ latencySeconds: 0 })
    const first = (await service.stores.revocations.snapshot()).entries.map((entry) => 'id' in entry && entry.id)
    expect(first).toEqual([expect.stringMatching(/^canary\.\d{13}\.[\w-]{22}$/)])
    for (let second = 0; second < 62; second++) {
      service.clock.pass(1)
      await new Promise((turn) => setImmediate(turn))
    }
    const later = (await service.stores.revocations.snapshot()).entries.map((entry) => 'id' in entry && entry.id)
    expect(later).not.toContain(first[0])
  })
})

describe('tidying', () => {
  it('deletes what was sealed for a repeat, soon after its time', async () => {
    const { body } = await service.postJson('/auth/sign-in', signInBody())
    const form = { grant_type: 'refresh_token', refresh_token: body.refresh_token, client_id: 'countersign-cli' }
    await service.post('/oauth/token', form)
    let forgotten = 0
    const { forgetReplays } = service.stores.sessions
    Object.assign(service.stores.sessions, {
      forgetReplays: async (now: number) => {
        const count = await forgetReplays(now)
        forgotten += count
        return count
      },
    })
    for (let second = 0; second < 12; second++) {
      service.clock.pass(1)
      await new Promise((turn) => setImmediate(turn))
      if (second < 9) expect(forgotten).toBe(0)
    }
    expect(forgotten).toBe(1)
  })

  it('drops entries whose time has passed, and kids never', async () => {
    const [ring] = service.rings
    await service.issuer.keys.revoke(ring?.signer.kid ?? '', { reason: 'leaked', scope: 'key' })
    const { body } = await service.postJson('/auth/sign-in', signInBody())
    await service.issuer.revokeToken(body.access_token)
    expect((await inForce()).map(({ type }) => type).sort()).toEqual(['jti', 'kid'])
    service.clock.pass(600 + 121)
    await until(() => service.issuer.feed?.position?.seq !== undefined)
    for (let turn = 0; turn < 200 && (await inForce()).length > 1; turn++) {
      service.clock.pass(2)
      await new Promise((done) => setImmediate(done))
    }
    expect((await inForce()).map(({ type }) => type)).toEqual(['kid'])
  })
})
