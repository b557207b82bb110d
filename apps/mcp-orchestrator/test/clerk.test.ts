import { type FakeClerk, fakeClerk, type TokenOptions } from '@countersign/clerk-convex/testing'
import { clerkSettings, clerkSubjectsOf } from '@countersign-apps/token-service'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, connect, soon, startTestFleet, type TestFleet } from './fleet.ts'

const origin = 'https://app.example.com'

let clerk: FakeClerk
let otherInstance: FakeClerk
let fleet: TestFleet
/** The backend of the web application: it has an account of its own, and nobody's token of ours. */
let bridge: { readonly id: string; readonly secret: string }
let organization: ReturnType<FakeClerk['world']['addOrganization']>
let shortLived: typeof organization
const ends: (() => unknown)[] = []

beforeAll(async () => {
  clerk = await fakeClerk()
  otherInstance = await fakeClerk()
  organization = clerk.world.addOrganization({ name: 'Acme' })
  shortLived = clerk.world.addOrganization({ name: 'Gone' })
  const settings = await clerkSettings({
    CLERK_ISSUER: clerk.issuer,
    CLERK_AUTHORIZED_PARTIES: origin,
    CLERK_WEBHOOK_SIGNING_SECRET: clerk.webhookSecret,
    CLERK_ORGANIZATIONS: `${organization.id}, ${shortLived.id}`,
  })
  if (settings === undefined) throw new Error('there are settings')
  const subjects = clerkSubjectsOf(settings)
  ends.push(() => subjects.verifier.close())
  fleet = await startTestFleet({}, [subjects])
  bridge = await account('mcp-bridge', ['mcp-coder', 'mcp-orchestrator', 'agent-api'])
  clerk.subscribe(`${fleet.issuer}/issuers/clerk/events`)
})
afterAll(async () => {
  await fleet.close()
  for (const end of ends) end()
  await Promise.all([clerk.close(), otherInstance.close()])
})

async function account(name: string, audiences: readonly string[]) {
  const { client, secret } = await fleet.service.issuer.clients.add({ name, grants: ['token_exchange'], audiences })
  return { id: client.id, secret: secret ?? '' }
}

let people = 0
/** Somebody in the organization, signed in there. */
function person() {
  const user = clerk.world.addUser({ email: `person-${++people}@example.com` })
  clerk.world.setMembership({ organization, user, role: 'org:member', permissions: [] })
  const session = clerk.world.addSession(user.id, organization.id)
  return { userId: user.id, sessionId: session.id, user }
}

/** As the page hands it to the backend; long enough that only what a test does ends it. */
const tokenOf = (sessionId: string, options: TokenOptions = {}) =>
  clerk.token(sessionId, { origin, lifeSeconds: 600, ...options })

function exchange(subjectToken: string, form: Record<string, string> = {}, by = bridge): Promise<Response> {
  return fetch(`${fleet.issuer}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${by.id}:${by.secret}`)}` },
    body: new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: subjectToken,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      audience: 'mcp-orchestrator',
      ...form,
    }),
  })
}

async function exchanged(subjectToken: string, form: Record<string, string> = {}): Promise<string> {
  const answer = await exchange(subjectToken, form)
  const body = (await answer.json()) as { access_token: string }
  if (answer.status !== 200) throw new Error(`${answer.status} ${JSON.stringify(body)}`)
  return body.access_token
}

/** Why exchanges were refused, by the log of the token service. */
const reasonsSince = (line: number) =>
  fleet
    .lines('service')
    .slice(line)
    .filter(({ msg }) => msg === 'exchange refused')
    .map(({ reason }) => reason)

const claimsOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

describe('a session of Clerk at the MCP servers', () => {
  it('is somebody of Clerk’s, for whom the bridge acts, with no more than the matrix says and for no longer', async () => {
    const { userId, sessionId } = person()
    const session = tokenOf(sessionId, { lifeSeconds: 60 })
    const { sub, sid, org_id, exp, act, client_id, scope, aud } = claimsOf(await exchanged(session))
    expect({ sub, sid, org_id, client_id, aud }).toEqual({
      sub: `clerk:${userId}`,
      sid: `clerk:${sessionId}`,
      org_id: `clerk:${organization.id}`,
      client_id: bridge.id,
      aud: 'mcp-orchestrator',
    })
    expect(act).toEqual({ sub: bridge.id, client_id: bridge.id })
    expect(scope.split(' ')).toEqual(['tasks:read', 'tasks:run', 'coder:read', 'coder:write'])
    expect(exp).toBeLessThanOrEqual(claimsOf(session).exp)
  })

  it('runs a task through both servers, whose logs say for whom and through whom', async () => {
    const { userId, sessionId } = person()
    const client = await connect(fleet.orchestrator.endpoint, await exchanged(tokenOf(sessionId)))
    const steps = [
      { do: 'write', path: 'note.txt', text: 'from Clerk' },
      { do: 'read', path: 'note.txt' },
    ]
    const report = await ask(client, 'run_writing_task', { goal: 'note', steps })
    expect(report).toMatchObject({ state: 'done', steps: [{}, { answer: { text: 'from Clerk' } }] })
    const actor = `${fleet.orchestrator.clientId} < ${bridge.id}`
    const line = { subject: `clerk:${userId}`, actor, target: 'write_file', outcome: 'admitted' }
    expect(fleet.lines('coder')).toContainEqual(expect.objectContaining(line))

    const direct = await connect(fleet.coder.endpoint, await exchanged(tokenOf(sessionId), { audience: 'mcp-coder' }))
    expect(await ask(direct, 'read_file', { path: 'note.txt' })).toMatchObject({ text: 'from Clerk' })
    const { tools } = await direct.listTools()
    expect(tools.map(({ name }) => name)).not.toContain('run_command')
  })

  it('shares no workspace with somebody of ours who has the same name', async () => {
    const { sessionId } = person()
    const theirs = await connect(fleet.coder.endpoint, await exchanged(tokenOf(sessionId), { audience: 'mcp-coder' }))
    await ask(theirs, 'write_file', { path: 'mine.txt', text: 'of Clerk' })
    const ours = await connect(fleet.coder.endpoint, (await fleet.signIn('mcp-coder')).token)
    expect(await ask(ours, 'read_file', { path: 'mine.txt' })).toContain('not_found')
  })
})

type Person = ReturnType<typeof person>
const ways: [way: string, end: (of: Person) => unknown, reason: string][] = [
  ['the session is ended', ({ sessionId }) => clerk.world.endSession(sessionId, 'ended'), 'session_ended'],
  ['the session is revoked', ({ sessionId }) => clerk.world.endSession(sessionId, 'revoked'), 'session_ended'],
  ['the user is banned', ({ userId }) => clerk.world.updateUser(userId, { banned: true }), 'party_ended'],
  ['the user is deleted', ({ userId }) => clerk.world.removeUser(userId), 'party_ended'],
  [
    'the user is taken out of the organization',
    ({ userId }) => clerk.world.removeMembership(organization.id, userId),
    'party_ended',
  ],
  [
    'the user’s role changes',
    ({ user }) => clerk.world.setMembership({ organization, user, role: 'org:admin', permissions: [] }),
    'party_ended',
  ],
]

describe('once Clerk’s webhook says that', () => {
  it.each(ways)('%s, streams end, both servers refuse, and nothing more is exchanged', async (_way, end, reason) => {
    const who = person()
    const other = person()
    const session = tokenOf(who.sessionId)
    const token = await exchanged(session)
    const client = await connect(fleet.orchestrator.endpoint, token)
    const stream = await client.listen({ toolsListChanged: true })
    const coder = await connect(fleet.coder.endpoint, await exchanged(session, { audience: 'mcp-coder' }))
    const coderStream = await coder.listen({ toolsListChanged: true })
    const beside = await connect(fleet.orchestrator.endpoint, await exchanged(tokenOf(other.sessionId)))

    end(who)
    await clerk.delivered()
    expect([await stream.closed, await coderStream.closed]).toEqual(['remote', 'remote'])
    const ended = { msg: 'mcp streams ended', reason: 'revoked', subject: `clerk:${who.userId}` }
    for (const server of ['orchestrator', 'coder'] as const) {
      await expect.poll(() => fleet.lines(server), soon).toContainEqual(expect.objectContaining(ended))
    }
    await expect(client.listTools()).rejects.toThrow()
    await expect(connect(fleet.coder.endpoint, token)).rejects.toThrow()
    const before = fleet.lines('service').length
    const again = await exchange(session)
    expect([again.status, (await again.json()) as object]).toEqual([
      400,
      expect.objectContaining({ error: 'invalid_request' }),
    ])
    expect(reasonsSince(before)).toEqual([reason])
    expect(await fleet.audited('foreign.end')).not.toEqual([])
    expect((await beside.listTools()).tools.length).toBeGreaterThan(0)
  })

  it('an organization is deleted, everybody who chose it is out, and whoever chose another is not', async () => {
    const { user, sessionId } = person()
    clerk.world.setMembership({ organization: shortLived, user, role: 'org:member', permissions: [] })
    const token = await exchanged(tokenOf(sessionId, { organization: shortLived.id }))
    const client = await connect(fleet.orchestrator.endpoint, token)
    const stream = await client.listen({ toolsListChanged: true })
    const data = { object: 'organization', id: shortLived.id, deleted: true }
    const url = `${fleet.issuer}/issuers/clerk/events`
    expect((await fetch(clerk.webhook(url, { type: 'organization.deleted', data }))).status).toBe(204)
    expect(await stream.closed).toBe('remote')
    await expect(client.listTools()).rejects.toThrow()
    expect((await exchange(tokenOf(sessionId, { organization: shortLived.id }))).status).toBe(400)
    expect((await exchange(tokenOf(sessionId))).status).toBe(200)
  })

  it('something, and the webhook is not Clerk’s, nothing ends', async () => {
    const { sessionId } = person()
    const url = `${fleet.issuer}/issuers/clerk/events`
    const data = { object: 'session', id: sessionId, status: 'ended' }
    const forged = await fetch(otherInstance.webhook(url, { type: 'session.ended', data }))
    expect(forged.status).toBe(400)
    expect((await fetch(url, { method: 'POST', body: JSON.stringify({ type: 'session.ended', data }) })).status).toBe(
      400,
    )
    expect((await exchange(tokenOf(sessionId))).status).toBe(200)
    const real = clerk.webhook(url, { type: 'session.ended', data })
    const copy = real.clone()
    expect([(await fetch(real)).status, (await fetch(copy)).status]).toEqual([204, 204])
    expect((await exchange(tokenOf(sessionId))).status).toBe(400)
  })
})

describe('the token service exchanges no', () => {
  const attacks: [what: string, token: (of: Person) => string, form: Record<string, string>, reason: string][] = [
    ['pending session', ({ sessionId }) => tokenOf(sessionId, { claims: { sts: 'pending' } }), {}, 'bad_claims'],
    ['session of another instance', () => foreignToken(), {}, 'unknown_issuer'],
    [
      'session of another instance that says it is of this one',
      () => foreignToken({ iss: clerk.issuer }),
      {},
      'unknown_key',
    ],
    ['session without azp', ({ sessionId }) => tokenOf(sessionId, { origin: false }), {}, 'bad_claims'],
    [
      'session of another site',
      ({ sessionId }) => tokenOf(sessionId, { origin: 'https://evil.example.com' }),
      {},
      'wrong_audience',
    ],
    ['session in another organization', (who) => inAnotherOrganization(who), {}, 'scope_empty'],
    [
      'session without an organization',
      ({ sessionId }) => tokenOf(sessionId, { organization: false }),
      {},
      'scope_empty',
    ],
    ['wider scope', ({ sessionId }) => tokenOf(sessionId), { scope: 'tasks:run coder:run' }, 'scope_grown'],
    ['other service', ({ sessionId }) => tokenOf(sessionId), { audience: 'agent-api' }, 'not_permitted'],
    [
      'expired session',
      ({ sessionId }) => tokenOf(sessionId, { claims: { iat: 1_700_000_000, exp: 1_700_000_060, nbf: 1_700_000_000 } }),
      {},
      'expired',
    ],
    [
      'session that lives for too long',
      ({ sessionId }) => tokenOf(sessionId, { lifeSeconds: 7_200 }),
      {},
      'bad_claims',
    ],
    [
      'token of a template',
      ({ sessionId }) => tokenOf(sessionId, { template: { name: 'convex', audience: 'convex' } }),
      {},
      'wrong_type',
    ],
    [
      'token of a machine',
      ({ sessionId }) => tokenOf(sessionId, { header: { cat: 'cl_B7d4PD333AAA' } }),
      {},
      'wrong_type',
    ],
    ['token that was changed', ({ sessionId }) => changed(tokenOf(sessionId)), {}, 'bad_signature'],
    ['token that is none', () => 'not.a.token', {}, 'malformed'],
  ]
  it.each(attacks)('%s', async (_what, token, form, reason) => {
    const before = fleet.lines('service').length
    const answer = await exchange(token(person()), form)
    const body = (await answer.json()) as Record<string, unknown>
    expect(answer.status).toBe(400)
    expect(body).not.toHaveProperty('access_token')
    expect(reasonsSince(before)).toEqual([reason])
  })

  it('session that somebody else than the bridge shows', async () => {
    const { sessionId } = person()
    const nightShift = await account('night-shift', ['mcp-coder', 'mcp-orchestrator'])
    const orchestrator = { id: fleet.orchestrator.clientId, secret: fleet.orchestrator.clientSecret }
    for (const by of [nightShift, orchestrator]) {
      expect((await exchange(tokenOf(sessionId), { audience: 'mcp-coder' }, by)).status).toBe(400)
    }
  })

  it('nothing at the servers themselves: a session is no token of theirs', async () => {
    const { sessionId } = person()
    await expect(connect(fleet.coder.endpoint, tokenOf(sessionId))).rejects.toThrow()
    await expect(connect(fleet.orchestrator.endpoint, tokenOf(sessionId))).rejects.toThrow()
  })

  const foreignToken = (claims: object = {}): string => {
    const user = otherInstance.world.addUser({ email: `stranger-${++people}@example.com` })
    const session = otherInstance.world.addSession(user.id)
    return otherInstance.token(session.id, { origin, claims: { ...claims } })
  }
  const inAnotherOrganization = ({ user, sessionId }: Person): string => {
    const other = clerk.world.addOrganization({ name: `Other ${++people}` })
    clerk.world.setMembership({ organization: other, user, role: 'org:admin', permissions: [] })
    return tokenOf(sessionId, { organization: other.id })
  }
  const changed = (token: string): string => {
    const [header, , signature] = token.split('.')
    const claims = Buffer.from(JSON.stringify({ ...claimsOf(token), sub: 'user_other' })).toString('base64url')
    return `${header}.${claims}.${signature}`
  }
})
