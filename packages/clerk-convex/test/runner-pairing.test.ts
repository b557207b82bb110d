import { createDpopProof, type DpopKey, importDpopKey } from '@countersign/tokens/dpop'
import type { MutationAuth } from 'convex/server'
import { beforeEach, describe, expect, it } from 'vitest'
import { type PairingCode, pairRunner } from '../src/node/runner/index.ts'
import type { RunnerClaims } from '../src/runner/index.ts'
import type { Answer } from './runner-calls.ts'
import { inTime, memoryKeys, newKey, type RunnerWorld, runnerWorld, until } from './runner-world.ts'

/** Compiles only: what a Convex mutation signs with takes the claims as they are. */
export const signInConvex = (ctx: { auth: MutationAuth }, claims: RunnerClaims, life: number): Promise<string> =>
  ctx.auth.signJwt({ claims, expiresInSeconds: life })

let world: RunnerWorld
let key: DpopKey
beforeEach(async () => {
  world = await runnerWorld()
  key = await newKey()
})

async function start(of = key, name = 'builder', scope = 'jobs:run jobs:read'): Promise<Answer['body']> {
  const url = `${world.url}/device_authorization`
  const proof = await createDpopProof({ key: of, clock: world.clock, method: 'POST', url })
  const body = new URLSearchParams({ name, scope })
  return await (await fetch(url, { method: 'POST', headers: { dpop: proof }, body })).json()
}

const poll = (deviceCode: string, of = key): Promise<Answer> =>
  world.ask(of, { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code: deviceCode })

describe('a device code', () => {
  it('goes as RFC 8628 has it: pending, slower, approved, used', async () => {
    const started = await start()
    expect(started).toEqual({
      device_code: expect.stringMatching(/^[\w-]{43}$/),
      user_code: expect.stringMatching(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/),
      verification_uri: 'https://app.example.com/pair',
      verification_uri_complete: `https://app.example.com/pair?user_code=${started.user_code}`,
      expires_in: 600,
      interval: 5,
    })
    expect((await poll(started.device_code)).body.error).toBe('authorization_pending')
    await world.clock.pass(4)
    expect((await poll(started.device_code)).body.error).toBe('slow_down')
    await world.clock.pass(9)
    expect((await poll(started.device_code)).body.error).toBe('slow_down')
    await world.clock.pass(15)
    const typed = started.user_code.toLowerCase().replace('-', ' ')
    expect(await world.runners.lookUp(world.ada, typed)).toEqual({
      name: 'builder',
      scopes: ['jobs:run', 'jobs:read'],
      fingerprint: key.thumbprint.slice(0, 8),
      expiresAt: 1_800_000_600,
    })
    const { id } = await world.runners.approve(world.ada, typed, 'ws_1')
    const { status, body } = await poll(started.device_code)
    expect(status).toBe(200)
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'DPoP',
      expires_in: 600,
      scope: 'jobs:run jobs:read',
      runner_id: id,
      organization: world.organizationId,
      workspace: 'ws_1',
    })
    expect((await world.call(key, body.access_token)).body).toEqual({ subject: world.userId, runner: 'builder' })
    await world.clock.pass(5)
    expect((await poll(started.device_code)).body.error).toBe('invalid_grant')
    expect(world.lastRefusal()).toBe('device_code_used')
    expect(world.audit.map(({ type }) => type)).toContain('pairing_approved')
    expect(JSON.stringify(world.audit)).not.toContain(body.access_token)
  })

  it('ends: for the runner and for the person', async () => {
    const started = await start()
    await world.clock.pass(600)
    expect((await poll(started.device_code)).body.error).toBe('expired_token')
    expect(world.lastRefusal()).toBe('device_code_expired')
    await expect(world.runners.approve(world.ada, started.user_code, 'ws_1')).rejects.toMatchObject({
      code: 'unknown_user_code',
    })
  })

  it('approved but not fetched, ends too', async () => {
    const started = await start()
    await world.runners.approve(world.ada, started.user_code, 'ws_1')
    await world.clock.pass(600)
    expect((await poll(started.device_code)).body.error).toBe('expired_token')
  })

  it('may be refused', async () => {
    const started = await start()
    await world.runners.deny(world.ada, started.user_code)
    expect((await poll(started.device_code)).body.error).toBe('access_denied')
    await expect(world.runners.deny(world.ada, started.user_code)).rejects.toMatchObject({ code: 'unknown_user_code' })
  })

  it('is worth nothing under another key', async () => {
    const started = await start()
    await world.runners.approve(world.ada, started.user_code, 'ws_1')
    expect((await poll(started.device_code, await newKey())).body.error).toBe('invalid_grant')
    expect(world.lastRefusal()).toBe('unknown_device_code')
    expect((await poll(started.device_code)).status).toBe(200)
  })

  it('of two polls at the same time gives one token', async () => {
    const started = await start()
    await world.runners.approve(world.ada, started.user_code, 'ws_1')
    const answers = await Promise.all([poll(started.device_code), poll(started.device_code)])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400])
  })

  it.each([
    ['', 'jobs:run'],
    ['x'.repeat(65), 'jobs:run'],
    ['<b>', 'jobs:run'],
    ['builder', ''],
    ['builder', 'a "b"'],
    ['builder', Array.from({ length: 33 }, (_, index) => `s${index}`).join(' ')],
  ])('is not started for the name %j and the scope %j', async (name, scope) => {
    expect((await start(key, name, scope)).error).toBe('invalid_request')
  })
})

describe('who approves', () => {
  it('gives away only what the role has, and only where the person is', async () => {
    const { user_code: code } = await start(key, 'builder', 'jobs:run org:delete')
    await expect(world.runners.approve(world.ada, code, 'ws_1')).rejects.toMatchObject({ code: 'scope_too_wide' })
    await expect(world.runners.approve(world.ada, code, 'ws_2')).rejects.toMatchObject({ code: 'foreign_workspace' })
    const eve = { person: 'user_eve', organization: world.organizationId }
    await expect(world.runners.approve(eve, code, 'ws_1')).rejects.toMatchObject({ code: 'not_a_member' })
    const away = { ...world.ada, organization: 'org_other' }
    await expect(world.runners.approve(away, code, 'ws_1')).rejects.toMatchObject({ code: 'not_a_member' })
    expect(world.audit.at(-1)).toEqual({ type: 'refused', at: 'person', code: 'not_a_member', by: world.userId })
  })

  it('cannot give a runner a second key, nor a key a second runner', async () => {
    await world.runners.approve(world.ada, (await start()).user_code, 'ws_1')
    const second = await start(await newKey())
    await expect(world.runners.approve(world.ada, second.user_code, 'ws_1')).rejects.toMatchObject({
      code: 'second_key',
    })
    const again = await start(key, 'another')
    await expect(world.runners.approve(world.ada, again.user_code, 'ws_1')).rejects.toMatchObject({
      code: 'key_in_use',
    })
  })

  it('may try five wrong codes in ten minutes', async () => {
    const { user_code: code } = await start()
    for (let turn = 0; turn < 5; turn++) {
      await expect(world.runners.lookUp(world.ada, 'BBBBBBBB')).rejects.toMatchObject({ code: 'unknown_user_code' })
    }
    await expect(world.runners.lookUp(world.ada, code)).rejects.toMatchObject({ code: 'too_many_attempts' })
    await expect(world.runners.lookUp({ ...world.ada, person: 'grace' }, code)).resolves.toBeDefined()
    await world.clock.pass(599)
    await expect(world.runners.lookUp(world.ada, code)).rejects.toMatchObject({ code: 'too_many_attempts' })
    await world.clock.pass(2)
    const next = await start(await newKey())
    await expect(world.runners.lookUp(world.ada, next.user_code)).resolves.toBeDefined()
  })
})

describe('pairRunner', () => {
  function begin(keys = memoryKeys(), signal?: AbortSignal) {
    let shown: PairingCode | undefined
    const pairing = pairRunner({
      url: world.url,
      name: 'builder',
      scopes: ['jobs:run'],
      keys,
      clock: world.clock,
      onCode: (code) => {
        shown = code
      },
      ...(signal === undefined ? {} : { signal }),
    })
    pairing.catch(() => {})
    const polled = async (): Promise<void> => {
      const before = world.requests.length
      await until(() => world.clock.timers > 0)
      await world.clock.pass(60)
      await until(() => world.requests.length > before)
      await until(() => world.clock.timers > 0)
    }
    const code = async (): Promise<PairingCode> => {
      await until(() => shown !== undefined && world.clock.timers > 0)
      return shown as PairingCode
    }
    return { pairing, polled, code }
  }

  it('waits through an outage, and keeps the key it has', async () => {
    const keys = memoryKeys()
    const { pairing, polled, code } = begin(keys)
    const { userCode, fingerprint } = await code()
    const kept = await keys.load()
    expect((await importDpopKey(kept)).thumbprint.slice(0, 8)).toBe(fingerprint)
    await polled()
    world.outage = 'cut'
    await polled()
    world.outage = 'unavailable'
    await polled()
    world.outage = 'none'
    await world.runners.approve(world.ada, userCode, 'ws_1')
    expect(await inTime(world.clock, pairing)).toEqual({
      runner: expect.stringMatching(/^runner_/),
      organization: world.organizationId,
      workspace: 'ws_1',
      scopes: ['jobs:run'],
    })
    expect(await keys.load()).toEqual(kept)
  })

  it('ends with a refusal, the end of the code, or the caller', async () => {
    const denied = begin()
    await world.runners.deny(world.ada, (await denied.code()).userCode)
    await expect(inTime(world.clock, denied.pairing)).rejects.toMatchObject({
      code: 'pairing_refused',
      reason: 'access_denied',
    })
    const late = begin()
    await late.code()
    await expect(inTime(world.clock, late.pairing)).rejects.toMatchObject({ code: 'pairing_expired' })
    const controller = new AbortController()
    const ended = begin(memoryKeys(), controller.signal)
    await ended.code()
    controller.abort(new Error('enough'))
    await expect(ended.pairing).rejects.toThrow('enough')
    expect(world.clock.timers).toBe(0)
  })

  it('says so when there is no endpoint to begin with', async () => {
    world.outage = 'cut'
    await expect(begin().pairing).rejects.toMatchObject({ name: 'RunnerError', code: 'issuer_unavailable' })
    const options = { name: 'a', scopes: ['jobs:run'], keys: memoryKeys(), onCode: () => {} }
    await expect(pairRunner({ ...options, url: 'http://example.com/runner' })).rejects.toMatchObject({
      code: 'runner_bad_option',
    })
  })
})
