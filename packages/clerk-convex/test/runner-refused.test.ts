import { createGuard } from '@countersign/guard'
import { createDpopProof, type DpopKey, isProofRejection, ProofRejected } from '@countersign/tokens/dpop'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  createRunnerTokens,
  isRunnerRefusal,
  RunnerRefused,
  runnerRefusalCodes,
  runnerRemedies,
} from '../src/runner/index.ts'
import type { Answer } from './runner-calls.ts'
import { newKey, pairedRunner, type RunnerWorld, runnerWorld } from './runner-world.ts'

let world: RunnerWorld
let key: DpopKey
let id: string
let foreign: DpopKey
/** A fresh token of the runner. */
const fresh = async (): Promise<string> => (await world.askUnattended(key)).body.access_token

beforeAll(async () => {
  world = await runnerWorld()
  ;({ key, id } = await pairedRunner(world))
  foreign = await newKey()
})

const session = 'urn:ietf:params:oauth:grant-type:token-exchange'
const jwt = 'urn:ietf:params:oauth:token-type:jwt'
const device = 'urn:ietf:params:oauth:grant-type:device_code'

/** Restores what a row changed. */
async function changing(change: () => void, back: () => void, call: () => Promise<Answer>): Promise<Answer> {
  change()
  try {
    return await call()
  } finally {
    back()
  }
}

const needing = (need: RunnerWorld['need']['current']) => async (): Promise<Answer> => {
  const token = await fresh()
  const before = world.need.current
  return changing(
    () => Object.assign(world.need, { current: need }),
    () => Object.assign(world.need, { current: before }),
    () => world.call(key, token),
  )
}

async function replay(): Promise<Answer> {
  const token = await fresh()
  const proof = await createDpopProof({
    key,
    clock: world.clock,
    method: 'GET',
    url: `${world.origin}/jobs`,
    accessToken: token,
  })
  expect((await world.call(key, token, { proof })).status).toBe(200)
  return world.call(key, token, { proof })
}

async function old(): Promise<Answer> {
  const token = await fresh()
  const proof = await createDpopProof({
    key,
    clock: world.clock,
    method: 'GET',
    url: `${world.origin}/jobs`,
    accessToken: token,
  })
  await world.clock.pass(66)
  return world.call(key, token, { proof })
}

const usual = () => ({
  sub: world.userId,
  aud: 'runner-api',
  client_id: id,
  org: world.organizationId,
  ws: 'ws_1',
  scope: 'jobs:run',
  cnf: { jkt: key.thumbprint },
  ep: 1,
  jti: 'token_1',
})

const calls: [what: string, code: string, status: number, call: () => Promise<Answer>][] = [
  [
    'a stolen token, with the thief’s own proof',
    'proof_wrong_key',
    401,
    async () => world.call(foreign, await fresh()),
  ],
  ['no proof', 'proof_required', 401, async () => world.call(key, await fresh(), { proof: undefined })],
  ['a replayed proof', 'proof_replayed', 401, replay],
  ['an old proof', 'proof_too_old', 401, old],
  [
    'a proof for another URL',
    'proof_wrong_url',
    401,
    async () => world.call(key, await fresh(), { proofFor: { url: `${world.origin}/other` } }),
  ],
  [
    'a proof for another method',
    'proof_wrong_method',
    401,
    async () => world.call(key, await fresh(), { proofFor: { method: 'POST' } }),
  ],
  [
    'a proof for another token',
    'proof_wrong_token',
    401,
    async () => world.call(key, await fresh(), { proofFor: { accessToken: 'other' } }),
  ],
  ['two proofs', 'proof_malformed', 401, async () => world.call(key, await fresh(), { proof: 'a.b.c, a.b.c' })],
  [
    'a token sent as a bearer token',
    'bearer_downgrade',
    401,
    async () => {
      const token = await fresh()
      return world.call(key, token, { authorization: `Bearer ${token}` })
    },
  ],
  ['no token', 'no_token', 401, async () => world.call(key, '', { authorization: '' })],
  ['a word that is no token', 'token_invalid', 401, async () => world.call(key, 'a.b.c')],
  [
    'a token without a key',
    'token_unbound',
    401,
    async () => {
      const { cnf: _cnf, ...rest } = usual()
      return world.call(key, await world.forge(rest))
    },
  ],
  ['a life over the cap', 'life_too_long', 401, async () => world.call(key, await world.forge(usual(), 901))],
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
    'a runner that nobody paired',
    'unpaired_runner',
    401,
    async () => world.call(key, await world.forge({ ...usual(), client_id: 'runner_x' })),
  ],
  [
    'a runner with another’s key',
    'unpaired_runner',
    401,
    async () => world.call(foreign, await world.forge({ ...usual(), cnf: { jkt: foreign.thumbprint } })),
  ],
  [
    'a token of another organisation',
    'foreign_organization',
    403,
    async () => world.call(key, await world.forge({ ...usual(), org: 'org_other' })),
  ],
  [
    'a token of another workspace',
    'foreign_workspace',
    403,
    async () => world.call(key, await world.forge({ ...usual(), ws: 'ws_2' })),
  ],
  ['a thing of another organisation', 'foreign_organization', 403, needing({ scopes: [], organization: 'org_other' })],
  ['a thing of another workspace', 'foreign_workspace', 403, needing({ scopes: [], workspace: 'ws_2' })],
  ['a wider scope', 'insufficient_scope', 403, needing({ scopes: ['jobs:run', 'repo:push'] })],
  [
    'an epoch that is over',
    'epoch_revoked',
    401,
    async () => world.call(key, await world.forge({ ...usual(), ep: 0 })),
  ],
  [
    'a role that lost the scope',
    'insufficient_scope',
    403,
    async () => {
      const token = await fresh()
      const at = `${world.userId} ${world.organizationId}`
      const before = world.grants.get(at)
      return changing(
        () => world.grants.set(at, { scopes: [], workspaces: 'all' }),
        () => before && world.grants.set(at, before),
        () => world.call(key, token),
      )
    },
  ],
  [
    'a person who left',
    'not_a_member',
    403,
    async () => {
      const token = await fresh()
      const at = `${world.userId} ${world.organizationId}`
      const before = world.grants.get(at)
      return changing(
        () => world.grants.delete(at),
        () => before && world.grants.set(at, before),
        () => world.call(key, token),
      )
    },
  ],
]

const asks: [what: string, code: string, error: string, ask: () => Promise<Answer>][] = [
  [
    'a grant that there is not',
    'unsupported_grant',
    'unsupported_grant_type',
    () => world.ask(key, { grant_type: 'password' }),
  ],
  ['no grant', 'invalid_request', 'invalid_request', () => world.ask(key, {})],
  [
    'no proof',
    'proof_required',
    'invalid_dpop_proof',
    () => world.ask(key, { grant_type: session }, { dpop: undefined }),
  ],
  [
    'a proof that is none',
    'proof_malformed',
    'invalid_dpop_proof',
    () => world.ask(key, { grant_type: session }, { dpop: 'x' }),
  ],
  ['an unpaired runner', 'unpaired_runner', 'invalid_grant', () => world.askUnattended(foreign)],
  ['a wider scope', 'scope_too_wide', 'invalid_scope', () => world.askUnattended(key, { scope: 'jobs:run repo:push' })],
  ['no scope at all', 'scope_too_wide', 'invalid_scope', () => world.askUnattended(key, { scope: '' })],
  [
    'another organisation',
    'foreign_organization',
    'invalid_grant',
    () => world.askUnattended(key, { organization: 'org_other' }),
  ],
  ['another workspace', 'foreign_workspace', 'invalid_grant', () => world.askUnattended(key, { workspace: 'ws_2' })],
  ['another audience', 'invalid_request', 'invalid_request', () => world.askUnattended(key, { audience: 'billing' })],
  ['a life over the cap', 'life_too_long', 'invalid_request', () => world.askUnattended(key, { expires_in: '901' })],
  [
    'a life that is no number',
    'invalid_request',
    'invalid_request',
    () => world.askUnattended(key, { expires_in: '1e2' }),
  ],
  [
    'an assertion for another endpoint',
    'assertion_invalid',
    'invalid_grant',
    () => world.askUnattended(key, {}, { aud: 'https://other' }),
  ],
  [
    'an assertion of another runner',
    'assertion_invalid',
    'invalid_grant',
    () => world.askUnattended(key, {}, { sub: foreign.thumbprint }),
  ],
  [
    'an assertion that is over',
    'assertion_invalid',
    'invalid_grant',
    () => world.askUnattended(key, {}, { iat: 1_700_000_000, exp: 1_700_000_060 }),
  ],
  [
    'an assertion that lives long',
    'assertion_invalid',
    'invalid_grant',
    () => world.askUnattended(key, {}, { exp: Math.floor(world.clock.now()) + 301 }),
  ],
  [
    'an assertion under another key',
    'assertion_invalid',
    'invalid_grant',
    () => world.askUnattended(key, { assertion: 'a.b.c' }),
  ],
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
    'a session that is none',
    'session_invalid',
    'invalid_grant',
    () => world.ask(key, { grant_type: session, subject_token: 'a.b.c', subject_token_type: jwt }),
  ],
  [
    'a session of another organisation',
    'foreign_organization',
    'invalid_grant',
    () =>
      world.ask(key, {
        grant_type: session,
        subject_token: world.clerk.token(world.sessionId, { organization: false }),
        subject_token_type: jwt,
      }),
  ],
  [
    'a session of another type',
    'invalid_request',
    'invalid_request',
    () => world.ask(key, { grant_type: session, subject_token: 'x', subject_token_type: 'saml' }),
  ],
  [
    'an unknown device code',
    'unknown_device_code',
    'invalid_grant',
    () => world.ask(key, { grant_type: device, device_code: 'x' }),
  ],
]

describe('the API turns away', () => {
  it.each(calls)('%s: %s', async (_what, code, status, call) => {
    const answer = await call()
    expect(world.lastRefusal()).toBe(code)
    expect(answer.status).toBe(status)
    expect(answer.headers.get('www-authenticate')).toMatch(/^DPoP .*algs="EdDSA ES256"$/)
    expect(answer.headers.get('www-authenticate')).not.toContain(code === 'insufficient_scope' ? 'scope="' : code)
    // The same runner still gets through.
    expect((await world.call(key, await fresh())).status).toBe(200)
  })
})

describe('the token endpoint turns away', () => {
  it.each(asks)('%s: %s', async (_what, code, error, ask) => {
    const { status, body, headers } = await ask()
    expect(world.lastRefusal()).toBe(code)
    expect([status, body.error]).toEqual([400, error])
    expect(headers.get('cache-control')).toBe('no-store')
    expect(JSON.stringify(body)).not.toContain('access_token')
  })

  it.each([
    ['a body of another type', { headers: { 'content-type': 'application/json' }, body: '{}' }],
    ['a parameter that comes twice', { body: 'grant_type=a&grant_type=b' }],
    ['a body that is too long', { body: `a=${'x'.repeat(17_000)}` }],
    ['too many parameters', { body: Array.from({ length: 17 }, (_, index) => `p${index}=1`).join('&') }],
    ['a body that is no UTF-8', { body: Buffer.from([0x61, 0x3d, 0xff]) }],
  ])('%s', async (_what, init) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const response = await fetch(`${world.url}/token`, { method: 'POST', headers, ...init })
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ error: 'invalid_request' }),
    ])
  })

  it('what is no endpoint', async () => {
    expect((await fetch(`${world.url}/tokens`)).status).toBe(404)
    expect((await fetch(`${world.url}/token`)).status).toBe(400)
  })
})

it('a guard that checks no proofs turns a runner token away', async () => {
  const guard = createGuard({ verifier: world.options.tokens })
  expect(await guard.admit({ token: await fresh() })).toMatchObject({ admitted: false, code: 'proof_required' })
  await guard.close()
})

describe('ending', () => {
  it('every token by a new epoch, at once; the runner gets new ones', async () => {
    const { key: own, token, id: runner } = await pairedRunner(world, 'epoch')
    expect((await world.call(own, token)).status).toBe(200)
    await expect(world.runners.endTokens({ ...world.ada, organization: 'org_x' }, runner)).rejects.toMatchObject({
      code: 'unpaired_runner',
    })
    await world.runners.endTokens(world.ada, runner)
    expect((await world.call(own, token)).status).toBe(401)
    expect(world.lastRefusal()).toBe('epoch_revoked')
    expect((await world.call(own, (await world.askUnattended(own)).body.access_token)).status).toBe(200)
  })

  it('a runner for good: neither its tokens nor its key get through', async () => {
    const { key: own, token, id: runner } = await pairedRunner(world, 'gone')
    await world.runners.revoke(world.ada, runner)
    expect((await world.call(own, token)).status).toBe(401)
    expect(world.lastRefusal()).toBe('runner_revoked')
    expect((await world.askUnattended(own)).body.error).toBe('invalid_grant')
    expect(world.lastRefusal()).toBe('runner_revoked')
    await expect(world.runners.revoke(world.ada, 'runner_x')).rejects.toMatchObject({ code: 'unpaired_runner' })
  })
})

describe('what cannot be written', () => {
  it('does not happen', async () => {
    const audit = () => Promise.reject(new Error('full'))
    const runners = createRunnerTokens({ ...world.options, audit })
    const proof = await createDpopProof({
      key,
      clock: world.clock,
      method: 'POST',
      url: `${world.url}/device_authorization`,
    })
    const body = new URLSearchParams({ name: 'a', scope: 'jobs:run' })
    const request = new Request(`${world.url}/device_authorization`, { method: 'POST', headers: { dpop: proof }, body })
    await expect(runners.handle(request)).rejects.toThrow('full')
  })

  it.each([
    { url: 'http://example.com/runner' },
    { url: `https://a.example/runner/` },
    { lifeSeconds: 901 },
    { lifeSeconds: 59 },
    { deviceCodeLifeSeconds: 1_801 },
    { intervalSeconds: 0 },
    { verificationUrl: 'pair' },
  ])('is configured like %o', (option) => {
    expect(() => createRunnerTokens({ ...world.options, ...option })).toThrow(
      expect.objectContaining({ code: 'bad_option' }),
    )
  })
})

it('has a remedy for each code', () => {
  for (const code of runnerRefusalCodes) {
    expect(runnerRemedies[code]).toMatch(/^[A-Z].{15,}\.$/)
    expect(isRunnerRefusal(new RunnerRefused(code))).toBe(true)
  }
  expect(isRunnerRefusal(Object.assign(new RunnerRefused('no_token'), { code: 'x' }))).toBe(false)
  expect(isProofRejection(new ProofRejected('proof_malformed', 'proof', 'x'))).toBe(true)
})
