import { createDpopProof, type DpopKey, generateDpopKey, importDpopKey } from '@countersign/tokens/dpop'
import { beforeAll, describe, expect, it } from 'vitest'
import { unwrap } from '../src/index.ts'
import { type ConvexRunnerWorld, convexRunnerWorld } from './convex-runner-world.ts'
import { api } from './convex-runners/_generated/api.ts'
import type { Answer } from './runner-calls.ts'
import { newKey } from './runner-world.ts'

let world: ConvexRunnerWorld
let key: DpopKey
let id: string
let foreign: DpopKey
/** A fresh token of the runner. */
const fresh = async (of = key): Promise<string> => (await world.askUnattended(of)).body.access_token

beforeAll(async () => {
  world = await convexRunnerWorld()
  ;({ key, id } = await world.paired())
  foreign = await newKey()
})

const session = 'urn:ietf:params:oauth:grant-type:token-exchange'
const jwt = 'urn:ietf:params:oauth:token-type:jwt'
const device = 'urn:ietf:params:oauth:grant-type:device_code'

const usual = () => ({
  sub: world.userId,
  aud: 'runner-api',
  client_id: id,
  org: world.organizationId,
  ws: 'ws_1',
  scope: 'job:run job:read',
  cnf: { jkt: key.thumbprint },
  ep: 1,
  jti: crypto.randomUUID(),
})

const forged = (claims: object, life?: number) => async (): Promise<Answer> =>
  world.call(key, await world.forge({ ...usual(), ...claims }, life))

async function proofFor(token: string): Promise<string> {
  return createDpopProof({ key, clock: world.clock, method: 'GET', url: `${world.origin}/jobs`, accessToken: token })
}

/** Does what a row is about, and undoes it. */
async function meanwhile(change: () => Promise<unknown>, back: () => Promise<unknown>): Promise<Answer> {
  const token = await fresh()
  await change()
  try {
    return await world.call(key, token)
  } finally {
    await back()
  }
}

const visibility = (of: 'organization' | 'private') => () =>
  world.t.run(async (ctx) => {
    const query = ctx.db.query('authWorkspaces')
    const row = await query
      .withIndex('by_workspace', (q) => q.eq('organization', world.organizationId).eq('workspace', 'ws_1'))
      .unique()
    if (row !== null) await ctx.db.patch(row._id, { visibility: of })
  })

const calls: [what: string, code: string, status: number, call: () => Promise<Answer>][] = [
  ['a stolen token with the thief’s own key', 'proof_wrong_key', 401, async () => world.call(foreign, await fresh())],
  ['no proof', 'proof_required', 401, async () => world.call(key, await fresh(), { proof: undefined })],
  [
    'a replayed proof',
    'proof_replayed',
    401,
    async () => {
      const token = await fresh()
      const proof = await proofFor(token)
      expect((await world.call(key, token, { proof })).status).toBe(200)
      return world.call(key, token, { proof })
    },
  ],
  [
    'an old proof',
    'proof_too_old',
    401,
    async () => {
      const token = await fresh()
      const proof = await proofFor(token)
      await world.clock.pass(66)
      return world.call(key, token, { proof })
    },
  ],
  [
    'a proof for another URL',
    'proof_wrong_url',
    401,
    async () => world.call(key, await fresh(), { proofFor: { url: `${world.origin}/jobs/take` } }),
  ],
  [
    'a proof for another deployment',
    'proof_wrong_url',
    401,
    async () => world.call(key, await fresh(), { proofFor: { url: 'https://other.convex.site/jobs' } }),
  ],
  [
    'a proof for another method',
    'proof_wrong_method',
    401,
    async () => world.call(key, await fresh(), { method: 'POST', proofFor: { method: 'GET' } }),
  ],
  [
    'a proof for another token',
    'proof_wrong_token',
    401,
    async () => world.call(key, await fresh(), { proofFor: { accessToken: 'other' } }),
  ],
  [
    'a foreign key that the token names',
    'unpaired_runner',
    401,
    async () => world.call(foreign, await world.forge({ ...usual(), cnf: { jkt: foreign.thumbprint } })),
  ],
  [
    'a Bearer downgrade',
    'bearer_downgrade',
    401,
    async () => {
      const token = await fresh()
      return world.call(key, token, { authorization: `Bearer ${token}` })
    },
  ],
  [
    'a Clerk session in place of a token',
    'token_invalid',
    401,
    async () => {
      const token = world.session()
      return world.call(key, token)
    },
  ],
  ['no token', 'no_token', 401, async () => world.call(key, '', { authorization: '' })],
  ['a word that is no token', 'token_invalid', 401, async () => world.call(key, 'a.b.c')],
  [
    'a token that was changed',
    'token_invalid',
    401,
    async () => {
      const [header, payload, signature] = (await fresh()).split('.')
      return world.call(key, `${header}.${payload?.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))}.${signature}`)
    },
  ],
  ['a token for something else that the deployment signed', 'token_invalid', 401, forged({ aud: 'convex' })],
  ['a token bound to no key', 'token_unbound', 401, forged({ cnf: undefined })],
  ['a life over the cap', 'life_too_long', 401, forged({}, 901)],
  [
    'an expired token',
    'token_expired',
    401,
    async () => {
      const token = await fresh()
      await world.clock.pass(606)
      return world.call(key, token)
    },
  ],
  [
    'a wider scope',
    'insufficient_scope',
    403,
    async () => world.call(key, await fresh(), { method: 'POST', path: '/repo' }),
  ],
  [
    'a scope that the token says and the runner was not approved for',
    'insufficient_scope',
    403,
    async () =>
      world.call(key, await world.forge({ ...usual(), scope: 'job:run repo:push' }), { method: 'POST', path: '/repo' }),
  ],
  ['a foreign organisation', 'foreign_organization', 403, forged({ org: 'org_other' })],
  ['a foreign workspace', 'foreign_workspace', 403, forged({ ws: 'ws_2' })],
  ['a person of another organisation', 'not_a_member', 403, forged({ sub: 'user_of_another' })],
  ['an epoch that is over', 'epoch_revoked', 401, forged({ ep: 0 })],
  ['a runner that nobody paired', 'unpaired_runner', 401, forged({ client_id: 'runner_x' })],
  [
    'a person who was removed since',
    'not_a_member',
    403,
    () =>
      meanwhile(
        () => world.setRole(world.userId, undefined),
        () => world.setRole(world.userId, 'admin'),
      ),
  ],
  [
    'a role that lost the permission since',
    'insufficient_scope',
    403,
    () =>
      meanwhile(
        () => world.setRole(world.userId, 'guest'),
        () => world.setRole(world.userId, 'admin'),
      ),
  ],
  [
    'a workspace that its person no longer sees',
    'foreign_workspace',
    403,
    () => meanwhile(visibility('private'), visibility('organization')),
  ],
]

/** A pairing under way: what the device shows, and its key. */
async function started(name = 'another'): Promise<{ device: DpopKey; code: string; user: string }> {
  const device = await newKey()
  const url = `${world.url}/device_authorization`
  const proof = await createDpopProof({ key: device, clock: world.clock, method: 'POST', url })
  const body = new URLSearchParams({ name, scope: 'job:run' })
  const answer = await (await fetch(url, { method: 'POST', headers: { dpop: proof }, body })).json()
  return { device, code: answer.device_code, user: answer.user_code }
}

const asks: [what: string, code: string, error: string, ask: () => Promise<Answer>][] = [
  [
    'no proof',
    'proof_required',
    'invalid_dpop_proof',
    () => world.ask(key, { grant_type: session }, { dpop: undefined }),
  ],
  [
    'a replayed proof',
    'proof_replayed',
    'invalid_dpop_proof',
    async () => {
      const proof = await createDpopProof({ key, clock: world.clock, method: 'POST', url: `${world.url}/token` })
      const form = { grant_type: session, subject_token: world.session(), subject_token_type: jwt }
      expect((await world.ask(key, form, { dpop: proof })).status).toBe(200)
      return world.ask(key, form, { dpop: proof })
    },
  ],
  ['an unpaired runner', 'unpaired_runner', 'invalid_grant', () => world.askUnattended(foreign)],
  ['a wider scope', 'scope_too_wide', 'invalid_scope', () => world.askUnattended(key, { scope: 'job:run repo:push' })],
  [
    'a foreign organisation',
    'foreign_organization',
    'invalid_grant',
    () => world.askUnattended(key, { organization: 'org_other' }),
  ],
  ['a foreign workspace', 'foreign_workspace', 'invalid_grant', () => world.askUnattended(key, { workspace: 'ws_2' })],
  ['a life over the cap', 'life_too_long', 'invalid_request', () => world.askUnattended(key, { expires_in: '901' })],
  [
    'an assertion for the second time',
    'assertion_used',
    'invalid_grant',
    async () => {
      expect((await world.askUnattended(key, {}, { jti: 'one' })).status).toBe(200)
      return world.askUnattended(key, {}, { jti: 'one' })
    },
  ],
  [
    'an assertion that is over',
    'assertion_invalid',
    'invalid_grant',
    () => world.askUnattended(key, {}, { iat: 1_700_000_000, exp: 1_700_000_060 }),
  ],
  [
    'a session of another organisation',
    'foreign_organization',
    'invalid_grant',
    () => {
      const user = world.person('admin', 'Elsewhere')
      return world.ask(key, { grant_type: session, subject_token: world.session(user), subject_token_type: jwt })
    },
  ],
  [
    'a session of nobody in our tables',
    'not_a_member',
    'invalid_grant',
    () => {
      const user = world.person('admin')
      return world.ask(key, { grant_type: session, subject_token: world.session(user), subject_token_type: jwt })
    },
  ],
  [
    'a session that is none',
    'session_invalid',
    'invalid_grant',
    () => world.ask(key, { grant_type: session, subject_token: 'a.b.c', subject_token_type: jwt }),
  ],
  [
    'an unknown device code',
    'unknown_device_code',
    'invalid_grant',
    () => world.ask(key, { grant_type: device, device_code: 'x' }),
  ],
  [
    'a device code with another’s key',
    'unknown_device_code',
    'invalid_grant',
    async () => world.ask(key, { grant_type: device, device_code: (await started()).code }),
  ],
  [
    'a used device code',
    'device_code_used',
    'invalid_grant',
    async () => {
      const { device: own, code, user } = await started('used')
      await unwrap(world.as().mutation(api.runners.approve, { code: user, workspace: 'ws_1' }))
      expect((await world.ask(own, { grant_type: device, device_code: code })).status).toBe(200)
      return world.ask(own, { grant_type: device, device_code: code })
    },
  ],
  [
    'an expired device code',
    'device_code_expired',
    'expired_token',
    async () => {
      const { device: own, code } = await started()
      await world.clock.pass(600)
      return world.ask(own, { grant_type: device, device_code: code })
    },
  ],
  [
    'a device code that was denied',
    'device_code_denied',
    'access_denied',
    async () => {
      const { device: own, code, user } = await started()
      await unwrap(world.as().mutation(api.runners.deny, { code: user }))
      return world.ask(own, { grant_type: device, device_code: code })
    },
  ],
  [
    'a poll too soon',
    'device_code_too_fast',
    'slow_down',
    async () => {
      const { device: own, code } = await started()
      expect((await world.ask(own, { grant_type: device, device_code: code })).body.error).toBe('authorization_pending')
      return world.ask(own, { grant_type: device, device_code: code })
    },
  ],
  [
    'a runner that was revoked',
    'runner_revoked',
    'invalid_grant',
    async () => {
      const own = await world.paired({ name: 'gone' })
      await unwrap(world.as().mutation(api.runners.revoke, { runner: own.id }))
      return world.askUnattended(own.key)
    },
  ],
  [
    'a person who was removed',
    'not_a_member',
    'invalid_grant',
    async () => {
      await world.setRole(world.userId, undefined)
      const answer = await world.askUnattended(key)
      await world.setRole(world.userId, 'admin')
      return answer
    },
  ],
]

/** The code that is written down; refusals beyond ten of one kind would not be. */
const last = async (): Promise<string | undefined> => (await world.refusals()).at(-1)

describe('a route of Convex turns away', () => {
  it.each(calls)('%s: %s', async (_what, code, status, call) => {
    const answer = await call()
    expect([await last(), answer.status]).toEqual([code, status])
    expect(answer.body).toBeUndefined()
    expect(answer.headers.get('www-authenticate')).toMatch(/^DPoP .*algs="EdDSA ES256"$/)
    // The same runner still gets through.
    expect((await world.call(key, await fresh())).status).toBe(200)
  })
})

describe('the token endpoint of Convex turns away', () => {
  it.each(asks)('%s: %s', async (_what, code, error, ask) => {
    const { status, body, headers } = await ask()
    expect([await last(), status, body.error]).toEqual([code, 400, error])
    expect(headers.get('cache-control')).toBe('no-store')
    expect(JSON.stringify(body)).not.toContain('access_token')
    expect((await world.call(key, await fresh())).status).toBe(200)
  })
})

describe('a person turns out to pair', () => {
  const approve = async (user: string, workspace = 'ws_1', as = world.as()): Promise<unknown> =>
    unwrap(as.mutation(api.runners.approve, { code: user, workspace })).then(
      () => 'approved',
      ({ reason }) => reason,
    )

  it('no second key for one runner', async () => {
    const { user } = await started('builder')
    expect(await approve(user)).toBe('second_key')
    expect(await last()).toBe('second_key')
    expect((await world.audit('runner.pairing_approved')).filter(({ runner }) => runner === id)).toHaveLength(1)
  })

  it('no runner of a second name with one key', async () => {
    const { keys } = await world.paired({ name: 'first' })
    await expect(world.pair({ name: 'second', keys })).rejects.toMatchObject({ reason: 'key_in_use' })
  })

  it('nothing in a workspace that is not theirs, or not there', async () => {
    const { user } = await started()
    for (const workspace of ['ws_private', 'ws_other', 'ws_nowhere', '']) {
      expect(await approve(user, workspace)).toBe('foreign_workspace')
    }
  })

  it('nothing beyond the role', async () => {
    const { user } = await started()
    await world.setRole(world.userId, 'admin')
    const device2 = await importDpopKey(await generateDpopKey())
    expect(device2.thumbprint).toHaveLength(43)
    const member = world.person('member')
    await world.setRole(member, 'member')
    expect(await approve(user, 'ws_1', world.as(member))).toBe('missing_permission')
  })

  it('nothing after five wrong codes in ten minutes', async () => {
    const guesser = world.person('admin')
    await world.setRole(guesser, 'admin')
    const { user } = await started()
    const as = world.as(guesser)
    for (let tries = 0; tries < 5; tries++) expect(await approve('BBBB-BBBB', 'ws_1', as)).toBe('unknown_user_code')
    expect(await approve(user, 'ws_1', as)).toBe('too_many_attempts')
    expect(await approve(user)).toBe('approved')
  })
})
