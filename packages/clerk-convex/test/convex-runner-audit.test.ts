import { createDpopProof, type DpopKey } from '@countersign/tokens/dpop'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { addressOf } from '../src/convex/runner/address.ts'
import { unwrap } from '../src/index.ts'
import { type ConvexRunnerWorld, convexRunnerWorld, told } from './convex-runner-world.ts'
import { api, internal } from './convex-runners/_generated/api.ts'
import { newKey } from './runner-world.ts'

let world: ConvexRunnerWorld

async function start(key: DpopKey, name = 'builder', scope = 'job:run job:read') {
  const url = `${world.url}/device_authorization`
  const proof = await createDpopProof({ key, clock: world.clock, method: 'POST', url })
  const body = new URLSearchParams({ name, scope })
  const response = await fetch(url, { method: 'POST', headers: { dpop: proof }, body })
  return { status: response.status, body: await response.json() }
}

describe('what is written down', () => {
  beforeAll(async () => {
    world = await convexRunnerWorld()
  })

  it('is each step of a runner’s life, once and with who it was', async () => {
    const { key, id } = await world.paired()
    const denied = await start(await newKey(), 'stranger')
    await unwrap(world.as().mutation(api.runners.deny, { code: denied.body.user_code }))
    await world.askUnattended(key)
    await world.askUnattended(key, { organization: 'org_other' })
    await unwrap(world.as().mutation(api.runners.endTokens, { runner: id }))
    await unwrap(world.as().mutation(api.runners.revoke, { runner: id }))
    await world.as().mutation(api.runners.revoke, { runner: 'runner_x' })
    const member = world.person('member')
    await world.setRole(member, 'member')
    await world.as(member).mutation(api.runners.approve, { code: 'x', workspace: 'ws_1' })
    const { organizationId: organization, userId: user } = world
    const rows = await world.audit()
    expect(rows.map(({ action, outcome, reason, user: by, runner }) => [action, outcome, reason, by, runner])).toEqual([
      ['runner.pairing_started', 'allowed', undefined, undefined, undefined],
      ['runner.pairing_approved', 'allowed', undefined, user, id],
      ['runner.token_issued', 'allowed', 'device_code', user, id],
      ['runner.pairing_started', 'allowed', undefined, undefined, undefined],
      ['runner.pairing_denied', 'allowed', undefined, user, undefined],
      ['runner.token_issued', 'allowed', 'assertion', user, id],
      ['runner.refused', 'denied', 'foreign_organization', undefined, id],
      ['runner.tokens_ended', 'allowed', undefined, user, id],
      ['runner.revoked', 'allowed', undefined, user, id],
      ['runner.refused', 'denied', 'unpaired_runner', user, undefined],
      ['runner.approve', 'denied', 'missing_permission', member, undefined],
    ])
    for (const row of rows.slice(1).filter(({ action }) => action !== 'runner.pairing_started')) {
      expect(row.organization).toBe(organization)
    }
    expect(rows.every(({ ip, requestId }) => ip !== undefined && requestId !== undefined)).toBe(true)
  })

  it('holds no token, proof, code or key', async () => {
    const { key } = await world.paired({ name: 'canary' })
    const started = await start(await newKey(), 'canary2')
    const { body } = await world.askUnattended(key)
    await world.call(key, body.access_token, { method: 'POST', path: '/notes' })
    const { device_code: code, user_code: shown } = started.body
    const text = JSON.stringify([await world.audit(), told])
    for (const secret of [body.access_token, code, shown, shown.replace('-', ''), key.thumbprint]) {
      expect(text).not.toContain(secret)
    }
    const tables = await world.t.run(async (ctx) => JSON.stringify(await ctx.db.query('authRunnerPairings').collect()))
    expect(tables).not.toContain(code)
  })
})

describe('a flood', () => {
  beforeEach(async () => {
    world = await convexRunnerWorld()
  })

  it('of strangers fills no table, and hides nothing about a runner', async () => {
    const { key } = await world.paired()
    const { body } = await world.askUnattended(key)
    const before = (await world.audit()).length
    const stranger = await newKey()
    const junk = Array.from({ length: 40 }, (_, at) => world.call(stranger, `a.b.${at}`))
    for (const { status } of await Promise.all(junk)) expect(status).toBe(401)
    expect((await world.audit()).length).toBe(before + 10)
    expect(told.filter(({ type }) => type === 'runner_refused')).toHaveLength(30)
    expect(told.at(-1)).toEqual({ type: 'runner_refused', at: 'resource', code: 'token_invalid' })

    // A token that holds, in hands that have not its key: that is about the runner.
    expect((await world.call(stranger, body.access_token)).status).toBe(401)
    expect((await world.refusals()).at(-1)).toBe('proof_wrong_key')

    await world.clock.pass(3_601)
    await world.call(stranger, 'a.b.c')
    expect((await world.refusals()).at(-1)).toBe('token_invalid')
  })

  it('by a stolen token is counted for its runner alone', async () => {
    const one = await world.paired({ name: 'one' })
    const two = await world.paired({ name: 'two' })
    const thief = await newKey()
    const stolen = (await world.askUnattended(one.key)).body.access_token
    for (let times = 0; times < 12; times++) await world.call(thief, stolen)
    await world.call(thief, (await world.askUnattended(two.key)).body.access_token)
    const rows = await world.audit('runner.refused')
    expect(rows.filter(({ runner }) => runner === one.id)).toHaveLength(10)
    expect(rows.filter(({ runner }) => runner === two.id)).toHaveLength(1)
  })

  it('of proofs that do not hold leaves no proof behind', async () => {
    const { key } = await world.paired()
    const { body } = await world.askUnattended(key)
    const proofs = () => world.t.run(async (ctx) => (await ctx.db.query('authUsedProofs').collect()).length)
    const before = await proofs()
    const stranger = await newKey()
    for (let times = 0; times < 5; times++) await world.call(stranger, body.access_token)
    expect(await proofs()).toBe(before)
    await world.call(key, body.access_token)
    expect(await proofs()).toBe(before + 1)
  })

  it('of strangers with keys and proofs of their own leaves none of them', async () => {
    const stranger = await newKey()
    const proofs = () => world.t.run(async (ctx) => (await ctx.db.query('authUsedProofs').collect()).length)
    for (let times = 0; times < 5; times++) await world.askUnattended(stranger)
    const device = 'urn:ietf:params:oauth:grant-type:device_code'
    for (let times = 0; times < 5; times++) await world.ask(stranger, { grant_type: device, device_code: 'x' })
    const { body } = await start(stranger)
    expect(await proofs()).toBe(1)
    for (let times = 0; times < 5; times++) {
      await world.ask(stranger, { grant_type: device, device_code: body.device_code })
    }
    expect(await proofs()).toBe(1)
  })

  it('of one proof begins one pairing', async () => {
    const url = `${world.url}/device_authorization`
    const proof = await createDpopProof({ key: await newKey(), clock: world.clock, method: 'POST', url })
    const ask = () =>
      fetch(url, {
        method: 'POST',
        headers: { dpop: proof },
        body: new URLSearchParams({ name: 'builder', scope: 'job:run' }),
      })
    const answers = await Promise.all(Array.from({ length: 5 }, ask))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect((await world.refusals()).at(-1)).toBe('proof_replayed')
  })

  it('of pairings ends at a number for each address, and others go on', async () => {
    const key = await newKey()
    for (let times = 0; times < 60; times++) expect((await start(key)).status).toBe(200)
    const over = await start(key)
    expect([over.status, over.body.error]).toEqual([429, 'temporarily_unavailable'])
    expect((await world.refusals()).at(-1)).toBe('too_many_pairings')
    expect(await world.audit('runner.pairing_started')).toHaveLength(60)
    const pairing = {
      deviceCodeHash: 'hash',
      thumbprint: 'key',
      name: 'x',
      scopes: ['job:run'],
      state: 'pending' as const,
      startedAt: world.clock.now(),
      expiresAt: world.clock.now() + 600,
      intervalSeconds: 5,
    }
    const other = world.t.withRequestMetadata({ ip: '203.0.113.9' })
    const from = (userCode: string) =>
      other.mutation(internal.runners.step, {
        call: { type: 'pair', pairing: { ...pairing, userCode, deviceCodeHash: userCode } },
      })
    for (let at = 0; at < 20; at++) expect(await from(`CODE${at}`)).toBe('added')
    // All together have begun as many as there may be.
    expect(await from('ONEMORE')).toBe('too_many')
    await world.clock.pass(3_601)
    expect((await start(key)).status).toBe(200)
  })
})

it('of strangers at a public function has as few rows', async () => {
  world = await convexRunnerWorld()
  const nobody = () => world.t.mutation(api.runners.revoke, { runner: 'runner_x' })
  for (let times = 0; times < 15; times++)
    expect(await nobody()).toMatchObject({ countersignDenied: { reason: 'signed_out' } })
  expect(await world.audit('runner.revoke')).toHaveLength(10)
  const unwritten = { type: 'denied', kind: 'unwritten', action: 'runner.revoke', reason: 'signed_out' }
  expect(told).toEqual(Array(5).fill(unwritten))

  // Each who is somebody has their own, and members have one for each call.
  const [outsider, member] = [world.person('admin'), world.person('member')]
  await world.setRole(member, 'member')
  const rows = async (user: string) => (await world.audit('runner.revoke')).filter((row) => row.user === user)
  for (let times = 0; times < 15; times++) {
    for (const user of [outsider, member]) await world.as(user).mutation(api.runners.revoke, { runner: 'runner_x' })
  }
  expect(await rows(outsider)).toHaveLength(10)
  expect(await rows(member)).toHaveLength(15)
  expect(told.at(-1)).toMatchObject({ kind: 'unwritten', reason: 'not_a_member', user: outsider })
})

describe('an address', () => {
  it.each([
    ['203.0.113.9', '203.0.113.9'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:0001:0002::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['::ffff:cb00:7109', '203.0.113.9'],
    ['::ffff:203.0.113', undefined],
    ['1:2:3', undefined],
    ['1::2::3', undefined],
    ['12345::1', undefined],
    ['nonsense', undefined],
    ['', undefined],
    [null, undefined],
  ])('%s is counted as %s', (ip, counted) => {
    expect(addressOf(ip)).toBe(counted)
  })
})
