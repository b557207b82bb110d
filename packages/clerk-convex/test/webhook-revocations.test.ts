import { createGuard } from '@countersign/guard'
import { expect, it } from 'vitest'
import { clerkWebhooks, memoryWebhookLedger, webhookRevocations } from '../src/server/index.ts'
import type { WebhookInput } from '../src/testing/index.ts'
import { atEnd, clerkWorld } from './clerk-world.ts'

async function revocationWorld() {
  const world = await clerkWorld()
  const { clerk } = world
  const revocations = webhookRevocations()
  const guard = createGuard({ verifier: world.verifier({ keys: clerk.jwks }), revocations })
  atEnd(() => guard.close())
  const webhooks = clerkWebhooks({ signingSecrets: [clerk.webhookSecret], ledger: memoryWebhookLedger() })
  const base = Math.floor(Date.now() / 1000)
  const later = (seconds: number) => base + seconds
  return {
    ...world,
    guard,
    revocations,
    later,
    /** A token issued so many seconds from now. */
    token: (seconds = 0) => clerk.token(world.sessionId, { claims: { iat: later(seconds), exp: later(seconds + 60) } }),
    tell: (input: WebhookInput) =>
      webhooks.receive(clerk.webhook('https://app.example.com/', input), (event) => revocations.note(event)),
    async code(token: string) {
      const decision = await guard.admit({ token })
      return decision.admitted ? 'admitted' : decision.code
    },
  }
}

it.each(['session.ended', 'session.removed', 'session.revoked'] as const)(
  '%s ends the session, and no other',
  async (type) => {
    const { clerk, sessionId, userId, token, tell, code } = await revocationWorld()
    const other = clerk.world.addSession(userId)
    const held = token()
    expect(await code(held)).toBe('admitted')
    await tell({ type, data: { id: sessionId } })
    expect(await code(held)).toBe('revoked')
    expect(await code(token(3))).toBe('revoked')
    expect(await code(clerk.token(other.id))).toBe('admitted')
  },
)

it('the end of a session ends the tokens of templates that its person had, which name no session', async () => {
  const { clerk, client, sessionId, userId, revocations, later, tell, verifier } = await revocationWorld()
  const machines = { kinds: ['api_key'] as const, client }
  const templates = verifier({ keys: clerk.jwks, audience: 'mail', machines })
  const template = { name: 'mail', audience: 'mail' }
  const other = clerk.world.addSession(userId)
  const isRevoked = async (token: string) => revocations.isRevoked(await templates.verify(token))
  const of = (session: string, iat: number) =>
    clerk.token(session, { template, claims: { iat: later(iat), exp: later(iat + 60) } })
  const held = of(sessionId, 0)
  expect(await isRevoked(held)).toBe(false)
  const { secret = '' } = await client.apiKeys.create({ name: 'ci', subject: userId })
  await tell({ type: 'session.revoked', data: { id: sessionId, user_id: userId }, happenedAtMs: later(1) * 1000 })
  expect(await isRevoked(held)).toBe(true)
  // Which session it came of cannot be told; the next one is good.
  expect(await isRevoked(of(other.id, 0))).toBe(true)
  expect(await isRevoked(of(other.id, 2))).toBe(false)
  expect(await isRevoked(secret)).toBe(false)
})

it('a change of role ends what was before it, in that organisation alone', async () => {
  const { clerk, sessionId, userId, organizationId, token, tell, code, later } = await revocationWorld()
  const data = { id: 'orgmem_1', organization: { id: organizationId }, public_user_data: { user_id: userId } }
  const held = token()
  await tell({ type: 'organizationMembership.updated', data, happenedAtMs: later(1) * 1000 + 500 })
  expect(await code(held)).toBe('revoked')
  expect(await code(token(1))).toBe('revoked')
  expect(await code(token(2))).toBe('admitted')
  expect(await code(clerk.token(sessionId, { organization: false }))).toBe('admitted')
  await tell({ type: 'organizationMembership.deleted', data, happenedAtMs: later(3) * 1000 })
  expect(await code(token(2))).toBe('revoked')
})

it('a user who is banned or deleted is out; one who changed their name, or was locked, is not', async () => {
  const { userId, token, tell, code, later } = await revocationWorld()
  const held = token()
  await tell({ type: 'user.updated', data: { id: userId, banned: false, locked: false } })
  expect(await code(held)).toBe('admitted')
  // Anybody who guesses at a password can have an account locked.
  await tell({ type: 'user.updated', data: { id: userId, banned: false, locked: true }, happenedAtMs: later(1) * 1000 })
  expect(await code(held)).toBe('admitted')
  await tell({ type: 'user.updated', data: { id: userId, banned: true, locked: false }, happenedAtMs: later(1) * 1000 })
  expect(await code(held)).toBe('revoked')
  expect(await code(token(3))).toBe('admitted')
  await tell({ type: 'user.deleted', data: { id: userId, deleted: true }, happenedAtMs: later(2) * 1000 })
  expect(await code(token(4))).toBe('revoked')
})

it('an organisation that is deleted takes its tokens along', async () => {
  const { clerk, sessionId, organizationId, token, tell, code } = await revocationWorld()
  await tell({ type: 'organization.deleted', data: { id: organizationId, deleted: true } })
  expect(await code(token())).toBe('revoked')
  expect(await code(clerk.token(sessionId, { organization: false }))).toBe('admitted')
})

it('whoever is watched ends at once', async () => {
  const { guard, sessionId, token, tell } = await revocationWorld()
  const decision = await guard.admit({ token: token() })
  if (!decision.admitted) throw new Error(decision.code)
  const ends: unknown[] = []
  guard.watch(decision.principal, (end) => ends.push(end))
  await tell({ type: 'session.revoked', data: { id: sessionId } })
  expect(ends).toEqual([{ reason: 'revoked' }])
})

it('entries go when no token of theirs can live, and are bounded', async () => {
  let ms = 0
  const clock = { now: () => 1_800_000_000 + ms / 1000, monotonicMs: () => ms, after: () => () => {} }
  const revocations = webhookRevocations({ clock, maxLifeSeconds: 60 })
  const note = (id: string) =>
    revocations.note({ type: 'session.ended', data: { id }, timestamp: 1_800_000_000_000 } as never)
  const isRevoked = (session: string) => revocations.isRevoked({ subject: 'user_1', session, issuedAt: 1 } as never)
  note('sess_1')
  ms = 119_000
  note('sess_2')
  expect(isRevoked('sess_1')).toBe(true)
  ms = 120_000
  note('sess_3')
  expect([isRevoked('sess_1'), isRevoked('sess_2')]).toEqual([false, true])
  for (let at = 0; at < 100_000; at++) note(`sess_many_${at}`)
  expect([isRevoked('sess_3'), isRevoked('sess_many_99999')]).toEqual([false, true])
  expect(() => webhookRevocations({ maxLifeSeconds: 5 })).toThrow(expect.objectContaining({ code: 'bad_option' }))
})

it('an event without a time ends what there is by now, and takes nothing back', async () => {
  const { userId, revocations, later, token, code } = await revocationWorld()
  const note = (type: string, data: object) => revocations.note({ type, data: { id: userId, ...data } } as never)
  note('user.updated', { banned: true })
  expect(await code(token())).toBe('revoked')
  note('user.deleted', {})
  note('user.updated', { banned: true })
  expect(revocations.isRevoked({ subject: userId, issuedAt: later(600) } as never)).toBe(true)
})
