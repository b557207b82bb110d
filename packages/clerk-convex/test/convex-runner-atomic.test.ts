import { createDpopProof, importDpopKey } from '@countersign/tokens/dpop'
import { beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { RunnerClaims } from '../src/runner/index.ts'
import { type ConvexRunnerWorld, convexRunnerWorld } from './convex-runner-world.ts'
import { api, internal } from './convex-runners/_generated/api.ts'
import { memoryKeys, newKey } from './runner-world.ts'

let world: ConvexRunnerWorld

const device = 'urn:ietf:params:oauth:grant-type:device_code'

describe('of all that come at once', () => {
  beforeEach(async () => {
    world = await convexRunnerWorld()
  })

  it('one gets the token of a device code, and one person answers it', async () => {
    const key = await newKey()
    const url = `${world.url}/device_authorization`
    const proof = await createDpopProof({ key, clock: world.clock, method: 'POST', url })
    const body = new URLSearchParams({ name: 'builder', scope: 'job:run' })
    const { device_code, user_code } = await (
      await fetch(url, { method: 'POST', headers: { dpop: proof }, body })
    ).json()
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => world.as().mutation(api.runners.approve, { code: user_code, workspace: 'ws_1' })),
    )
    expect(answers.filter((answer) => 'runner' in answer)).toHaveLength(1)
    const tokens = await Promise.all(
      Array.from({ length: 6 }, () => world.ask(key, { grant_type: device, device_code })),
    )
    expect(tokens.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(await world.audit('runner.pairing_approved')).toHaveLength(1)
    expect(await world.audit('runner.token_issued')).toHaveLength(1)
  })

  it('one proof lets one request in, and one assertion gets one token', async () => {
    const { key } = await world.paired()
    const { body } = await world.askUnattended(key)
    const accessToken: string = body.access_token
    const proof = await createDpopProof({
      key,
      clock: world.clock,
      method: 'GET',
      url: `${world.origin}/jobs`,
      accessToken,
    })
    const calls = await Promise.all(Array.from({ length: 8 }, () => world.call(key, accessToken, { proof })))
    expect(calls.filter(({ status }) => status === 200)).toHaveLength(1)
    const jti = crypto.randomUUID()
    const asks = await Promise.all(Array.from({ length: 8 }, () => world.askUnattended(key, {}, { jti })))
    expect(asks.filter(({ status }) => status === 200)).toHaveLength(1)
  })
})

describe('the mutation that signs', () => {
  let claims: RunnerClaims
  beforeAll(async () => {
    world = await convexRunnerWorld()
    const keys = memoryKeys()
    const { runner } = await world.pair({ keys })
    const { thumbprint } = await importDpopKey(await keys.load())
    claims = {
      sub: world.userId,
      aud: 'runner-api',
      client_id: runner,
      org: world.organizationId,
      ws: 'ws_1',
      scope: 'job:run',
      cnf: { jkt: thumbprint },
      ep: 1,
      jti: 'token_1',
    }
  })

  const sign = (over: Partial<RunnerClaims> = {}, lifeSeconds = 600): Promise<unknown> =>
    world.t.mutation(internal.runners.step, {
      call: { type: 'issue', claims: { ...claims, ...over }, lifeSeconds, grant: 'assertion' },
    })

  it('signs what holds, and writes it down', async () => {
    const before = (await world.audit('runner.token_issued')).length
    expect(await sign()).toEqual({ token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) })
    expect((await world.audit('runner.token_issued')).slice(before)).toMatchObject([
      { user: world.userId, runner: claims.client_id, workspace: 'ws_1', token: 'token_1' },
    ])
  })

  // What was read before the mutation may have changed until it: it reads everything again.
  const rows: [what: string, refused: string, over: Partial<RunnerClaims>, life?: number][] = [
    ['a runner that is gone', 'unpaired_runner', { client_id: 'runner_x' }],
    ['another key', 'unpaired_runner', { cnf: { jkt: 'other' } }],
    ['an epoch that is over', 'epoch_revoked', { ep: 0 }],
    ['another organisation', 'foreign_organization', { org: 'org_other' }],
    ['another workspace', 'foreign_workspace', { ws: 'ws_2' }],
    ['somebody who is no member', 'not_a_member', { sub: 'user_x' }],
    ['a scope that was not approved', 'scope_too_wide', { scope: 'job:run repo:push' }],
    ['no scope', 'scope_too_wide', { scope: '' }],
    ['a life over the cap', 'life_too_long', {}, 901],
  ]
  it.each(rows)('signs nothing for %s', async (_what, refused, over, life) => {
    const before = (await world.audit()).length
    expect(await sign(over, life)).toEqual({ refused })
    expect(await world.audit()).toHaveLength(before)
  })

  it('signs nothing once the role, the membership or the runner is gone', async () => {
    await world.setRole(world.userId, 'guest')
    expect(await sign()).toEqual({ refused: 'scope_too_wide' })
    await world.setRole(world.userId, undefined)
    expect(await sign()).toEqual({ refused: 'not_a_member' })
    await world.setRole(world.userId, 'admin')
    await world.as().mutation(api.runners.endTokens, { runner: claims.client_id })
    expect(await sign()).toEqual({ refused: 'epoch_revoked' })
    await world.as().mutation(api.runners.revoke, { runner: claims.client_id })
    expect(await sign()).toEqual({ refused: 'runner_revoked' })
  })
})
