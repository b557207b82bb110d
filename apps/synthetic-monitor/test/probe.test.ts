import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { phases } from '../src/failure.ts'
import { Leftovers } from '../src/leftovers.ts'
import { createProber, type Prober, type ProberOptions } from '../src/prober.ts'
import type { PhaseResult, ProbeResult } from '../src/result.ts'
import { Faults, HeldClock, heldLimits } from './faults.ts'
import { startTestFleet, type TestFleet } from './fleet.ts'

let fleet: TestFleet
const ends: (() => unknown)[] = []
beforeAll(async () => {
  fleet = await startTestFleet()
})
afterAll(() => fleet.close())
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

interface Bench {
  readonly faults: Faults
  readonly clock: HeldClock
  readonly prober: Prober
  run(onPhase?: (phase: PhaseResult) => void): Promise<ProbeResult>
}

function bench(change: Partial<ProberOptions> = {}): Bench {
  const faults = new Faults()
  const clock = new HeldClock()
  const prober = createProber({
    issuer: fleet.issuer,
    agentApis: [fleet.agentApi],
    accounts: fleet.accounts,
    fetch: faults.fetch,
    clock,
    ...heldLimits,
    ...change,
  })
  ends.push(async () => {
    faults.clear()
    await prober.close()
  })
  const { signal } = new AbortController()
  return {
    faults,
    clock,
    prober,
    run: (onPhase = () => undefined) => prober.probe({ id: 'probe-1', trigger: 'command', signal, onPhase }),
  }
}

/** What a probe says that failed; nothing of it may be secret, and no session may stay behind. */
async function expectFailure(result: ProbeResult, phase: string, reason: string, message: RegExp): Promise<void> {
  expect(result.failure).toMatchObject({ phase, reason, message: expect.stringMatching(message) })
  expect(result.ok).toBe(false)
  expect(result.phases.at(-1)).toMatchObject({ phase, ok: false })
  expect(result.phases.slice(0, -1).every(({ ok }) => ok)).toBe(true)
  for (const secret of fleet.secrets) expect(JSON.stringify(result)).not.toContain(secret)
  expect(JSON.stringify(result)).not.toContain('eyJ')
}

const strangersKey = {
  ...generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }),
  kid: 'stranger',
  alg: 'EdDSA',
  use: 'sig',
}
const json = (body: unknown, status = 200): Response => Response.json(body, { status })

/** The phase that begins next has taken too long, once `holds` as well. */
async function fireWhenHeld(clock: HeldClock, holds = () => true): Promise<void> {
  const before = clock.held
  await expect.poll(() => clock.held > before && holds(), { interval: 5 }).toBe(true)
  clock.fire()
}

describe('a probe of a fleet that is as it should be', () => {
  it('walks every phase, times each and each way that the revocation takes, and leaves no session', async () => {
    const { run, faults } = bench()
    const told: string[] = []
    const result = await run(({ phase }) => told.push(phase))
    expect(result.failure).toBeUndefined()
    expect(result).toMatchObject({ id: 'probe-1', trigger: 'command', ok: true, cleanedUp: true })
    expect(result.phases.map(({ phase, ok }) => [phase, ok])).toEqual(phases.map((phase) => [phase, true]))
    expect(told).toEqual(phases)
    expect(Object.keys(result.revocationMs).sort()).toEqual(['exchanged', 'feed', 'http', 'websocket'])
    expect(result.durationMs).toBeGreaterThan(0)
    expect(await fleet.sessions()).toBe(0)
    expect(faults.asked.get('/auth/sign-out')).toBe(1)
    expect(faults.asked.get('/oauth/revoke')).toBe(1)
  })

  it('looks at every instance, and goes through the next probe the same', async () => {
    const { run } = bench({ agentApis: [fleet.agentApi, `${(await fleet.startAgentApi()).url}/`] })
    expect((await run()).failure).toBeUndefined()
    expect((await run()).failure).toBeUndefined()
  })
})

describe('a probe ends in the phase that went wrong, and says why:', () => {
  it('no token service', async () => {
    const { run } = bench({ issuer: 'http://127.0.0.1:9' })
    await expectFailure(await run(), 'sign_in', 'unreachable', /127\.0\.0\.1:9 could not be reached/)
  })

  it('a token service that cannot answer', async () => {
    const { run, faults } = bench()
    faults.at(/sign-in/, () => json({ error: 'temporarily_unavailable' }, 503))
    await expectFailure(await run(), 'sign_in', 'unavailable', /answered 503 temporarily_unavailable/)
  })

  it('a token service that hangs', async () => {
    const { run, faults, clock } = bench()
    faults.at(/sign-in/, 'hang')
    faults.onAsk = (path) => path === '/auth/sign-in' && queueMicrotask(() => clock.fire())
    await expectFailure(await run(), 'sign_in', 'timeout', /no answer within 45000 ms/)
  })

  it('a password that changed', async () => {
    const person = { identifier: 'probe', secret: 'another one' }
    const { run } = bench({ accounts: { ...fleet.accounts, person } })
    await expectFailure(await run(), 'sign_in', 'refused', /answered 400 invalid_grant/)
  })

  it('an answer that is none', async () => {
    const { run, faults } = bench()
    faults.at(/sign-in/, () => new Response('<html>'))
    await expectFailure(await run(), 'sign_in', 'wrong_answer', /200 without a token/)
    faults.at(/sign-in/, () => new Response('x'.repeat(300_000)))
    await expectFailure(await run(), 'sign_in', 'wrong_answer', /over 262144 bytes/)
    faults.at(/sign-in/, () => new Response('', { status: 302, headers: { location: '/' } }))
    await expectFailure(await run(), 'sign_in', 'wrong_answer', /answered 302/)
  })

  it.each([
    ['ada', 'verify', /is marked synthetic/],
    ['looker', 'sign_in', /does not get agents:read and chat:write/],
  ])("an account that is none of a monitor's: %s", async (identifier, phase, message) => {
    const person = { ...fleet.accounts.person, identifier }
    const { run } = bench({ accounts: { ...fleet.accounts, person } })
    const result = await run()
    await expectFailure(result, phase, 'wrong_account', message)
    expect(result.cleanedUp).toBe(true)
  })

  it.each([
    ['there are none', [], 'unavailable', /keys_unavailable/],
    ['they are a stranger’s', [strangersKey], 'refused', /unknown_key/],
  ])('keys that do not verify what the token service signs: %s', async (_why, keys, reason, message) => {
    const { run, faults } = bench()
    faults.at(/^\/\.well-known\/jwks\.json$/, () => json({ keys }))
    await expectFailure(await run(), 'verify', reason, message)
  })

  it('keys that cannot be had', async () => {
    const { run, faults } = bench()
    faults.at(/^\/\.well-known\/jwks\.json$/, 'cut')
    await expectFailure(await run(), 'verify', 'unavailable', /keys_unavailable/)
  })

  it('no agent-api', async () => {
    const { run } = bench({ agentApis: ['http://127.0.0.1:9'] })
    await expectFailure(await run(), 'call', 'unreachable', /127\.0\.0\.1:9/)
    expect(await fleet.sessions()).toBe(0)
  })

  it('an instance that lets anybody in', async () => {
    const open = createServer((_request, response) => response.end('{"agents":[]}'))
    await new Promise<void>((resolve) => open.listen(0, '127.0.0.1', resolve))
    ends.push(() => open.close())
    const address = open.address()
    const url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
    const { run } = bench({ agentApis: [fleet.agentApi, url] })
    await expectFailure(await run(), 'call', 'accepted', /answered 200 to a request without a token/)
  })

  it('agent-api that goes down before the WebSocket', async () => {
    const api = await fleet.startAgentApi()
    const { run, faults } = bench({ agentApis: [api.url] })
    let asked = 0
    faults.at(/^\/agents$/, async (request) => {
      asked += 1
      const answer = await fetch(request)
      if (asked < 2) return answer
      const body = await answer.text()
      await api.close()
      return new Response(body, answer)
    })
    await expectFailure(await run(), 'websocket', 'unreachable', /closed with 1006 before it was ready/)
  })

  it('a service account that may not exchange', async () => {
    const client = { id: fleet.accounts.client.id, secret: 'another one' }
    const { run } = bench({ accounts: { ...fleet.accounts, client } })
    await expectFailure(await run(), 'exchange', 'refused', /answered 401 invalid_client/)
  })

  it('a token service that issues something else than a token', async () => {
    const { run, faults } = bench()
    faults.at(/^\/oauth\/token$/, async (request) => {
      const form = new URLSearchParams(await request.clone().text())
      const isOwn = form.get('grant_type') === 'client_credentials'
      if (isOwn) return json({ access_token: 'opaque.e30', token_type: 'Bearer' })
      return form.get('scope') === 'chat:write' ? json({ error: 'invalid_scope' }, 400) : json({ access_token: 'x' })
    })
    await expectFailure(await run(), 'exchange', 'refused', /a guard says of the new token: malformed/)
  })

  it('an exchange that gives more than it was given', async () => {
    const { run, faults } = bench()
    faults.at(/^\/oauth\/token$/, async (request) => {
      const form = new URLSearchParams(await request.clone().text())
      if (form.get('scope') !== 'chat:write') return fetch(request)
      form.set('scope', 'agents:read')
      return fetch(request.url, {
        method: 'POST',
        headers: { authorization: request.headers.get('authorization') ?? '' },
        body: form,
      })
    })
    await expectFailure(await run(), 'exchange', 'accepted', /gave chat:write, which its subject token does not have/)
  })

  const far = `x.${btoa(JSON.stringify({ exp: 9_999_999_999 }))}.x`
  it.each([
    ['more scopes', 'probe', 'agents:read chat:write', far, 'accepted', /gave agents:read chat:write/],
    ['a longer life', 'probe', 'agents:read', undefined, 'accepted', /gave a longer life/],
    ['a person’s powers', 'ada', 'agents:read', far, 'accepted', /gave a token that is not synthetic any more/],
    ['no actor', 'probe', 'agents:read', far, 'wrong_answer', /does not say who acts/],
    ['an end that nobody can read', 'probe', 'agents:read', 'x.e30.x', 'wrong_answer', /has no expiry/],
  ])('an exchange that gives %s', async (_what, identifier, scope, own, reason, message) => {
    const { run, faults } = bench()
    faults.at(/^\/oauth\/token$/, async (request) => {
      const form = new URLSearchParams(await request.clone().text())
      if (form.get('scope') === 'chat:write') return json({ error: 'invalid_scope' }, 400)
      if (form.get('grant_type') !== 'client_credentials')
        return json({ access_token: await fleet.signIn(identifier, scope) })
      return own === undefined ? fetch(request) : json({ access_token: own })
    })
    await expectFailure(await run(), 'exchange', reason, message)
    await fleet.endSessions()
  })

  it('a consumer that lets a synthetic token have effects, of which none comes', async () => {
    const { url } = await fleet.startAgentApi('lax')
    const { run } = bench({ agentApis: [fleet.agentApi, url] })
    await expectFailure(await run(), 'side_effect', 'accepted', /let a synthetic token in for chat:write: 400/)
    expect(await fleet.sessions()).toBe(0)
  })

  it('a consumer that does so over its WebSocket alone', async () => {
    const { url } = await fleet.startAgentApi('lax')
    const { run, faults } = bench({ agentApis: [url] })
    const headers = { 'www-authenticate': 'Bearer error="insufficient_scope"' }
    faults.at(/^\/chat$/, () => new Response('{}', { status: 403, headers }))
    const message = /the WebSocket at .* let a synthetic token in for chat:write: invalid_request/
    await expectFailure(await run(), 'side_effect', 'accepted', message)
  })

  it('a sign-out that cannot be made: it is tried again with the next probe', async () => {
    const { run, faults, prober } = bench()
    faults.at(/sign-out/, 'cut')
    const result = await run()
    await expectFailure(result, 'revoke', 'unreachable', /ECONNRESET/)
    expect(result.cleanedUp).toBe(false)
    expect(prober.leftovers).toBeGreaterThan(0)
    expect(await fleet.sessions()).toBe(1)
    faults.clear()
    expect(await run()).toMatchObject({ ok: true, cleanedUp: true })
    expect(prober.leftovers).toBe(0)
    expect(await fleet.sessions()).toBe(0)
  })

  it('a sign-out that ended nothing', async () => {
    const { run, faults } = bench()
    faults.at(/sign-out/, () => json({ state: 'signed-out' }))
    await expectFailure(await run(), 'revoke', 'accepted', /says signed-in after it signed out/)
    expect(await fleet.sessions()).toBe(1)
    await fleet.endSessions()
  })

  it('a revocation feed that is late', async () => {
    const { run, faults, clock } = bench()
    const result = await run(({ phase }) => {
      if (phase === 'side_effect') {
        faults.silent = true
        faults.at(/^\/revocations/, 'cut')
      }
      if (phase === 'revoke') void fireWhenHeld(clock)
    })
    await expectFailure(result, 'feed', 'late', /did not tell of it within 60000 ms/)
  })

  it('a consumer that accepts a revoked token: loudly', async () => {
    const deaf = await fleet.startAgentApi('deaf')
    const { run, faults, clock } = bench({ agentApis: [fleet.agentApi, deaf.url] })
    let from = 0
    let reached = Number.POSITIVE_INFINITY
    const tokensAt = (url: string, status: number): number => {
      const answers = faults.answers.slice(from).filter((one) => url.startsWith(one.origin) && one.status === status)
      return new Set(answers.map(({ authorization }) => authorization)).size
    }
    /** One has refused both tokens, which the probe knows by now, and the other goes on accepting them. */
    const isClear = (): boolean => {
      if (tokensAt(fleet.agentApi, 401) + tokensAt(deaf.url, 200) === 4)
        reached = Math.min(reached, faults.answers.length)
      return faults.answers.length > reached + 3
    }
    const result = await run(({ phase }) => {
      if (phase === 'revoke') from = faults.answers.length
      if (phase === 'feed') void fireWhenHeld(clock, isClear)
    })
    await expectFailure(result, 'refused', 'accepted', /still accepts the token of a session, which is revoked/)
    expect(result.failure?.message).toContain(new URL(deaf.url).host)
  })

  it('a consumer that accepts a token whose parent is revoked', async () => {
    const { run, faults, clock } = bench()
    let ofSession: string | null = null
    let revoked = false
    let since = Number.NaN
    faults.at(/^\/agents$/, async (request) => {
      const authorization = request.headers.get('authorization')
      ofSession ??= authorization
      if (revoked && authorization !== ofSession) {
        since += 1
        return json({ agents: [] })
      }
      const answer = await fetch(request)
      if (revoked && answer.status === 401) since = 0
      return answer
    })
    const result = await run(({ phase }) => {
      if (phase === 'revoke') revoked = true
      if (phase === 'feed') void fireWhenHeld(clock, () => since > 2)
    })
    await expectFailure(result, 'refused', 'accepted', /still accepts an exchanged token, which is revoked/)
  })

  it('a WebSocket that was closed for another reason', async () => {
    const api = await fleet.startAgentApi()
    const { run, faults } = bench({ agentApis: [api.url] })
    let isClosed = false
    faults.at(/^\/auth\/sign-out$/, async (request) => {
      await api.close()
      isClosed = true
      return fetch(request)
    })
    faults.at(/^\/agents$/, (request) => (isClosed ? new Response('', { status: 401 }) : fetch(request)))
    await expectFailure(await run(), 'closed', 'wrong_answer', /closed with 1001, and not with 4431/)
  })

  it('a WebSocket that stays open after its token was revoked', async () => {
    const deaf = await fleet.startAgentApi('deaf')
    const { run, faults, clock } = bench({ agentApis: [deaf.url] })
    let revoked = false
    faults.at(/^\/agents$/, (request) => (revoked ? new Response('', { status: 401 }) : fetch(request)))
    const result = await run(({ phase }) => {
      if (phase === 'revoke') revoked = true
      if (phase === 'refused') void fireWhenHeld(clock)
    })
    await expectFailure(result, 'closed', 'accepted', /is open 60000 ms after its token was revoked/)
  })
})

describe('a fault of the probe itself', () => {
  it('is told apart, and what it says stays out of the result', async () => {
    const { prober } = bench()
    const thrown: unknown[] = []
    const { signal } = new AbortController()
    const onFault = (error: unknown) => thrown.push(error)
    const onPhase = ({ phase }: PhaseResult) => {
      if (phase === 'verify') throw new RangeError('a secret')
    }
    const result = await prober.probe({ id: 'x', trigger: 'command', signal, onFault, onPhase })
    expect(result.failure).toEqual({ phase: 'verify', reason: 'fault', message: 'RangeError was thrown' })
    expect(thrown).toEqual([expect.objectContaining({ message: 'a secret' })])
    expect([result.cleanedUp, await fleet.sessions()]).toEqual([true, 0])
  })
})

describe('a probe that is stopped', () => {
  it('ends at once, leaves no session, and is no failure', async () => {
    const { prober, faults } = bench()
    const stop = new AbortController()
    faults.at(/^\/agents$/, () => {
      stop.abort()
      return new Promise(() => undefined)
    })
    const run = prober.probe({ id: 'x', trigger: 'command', signal: stop.signal })
    await expect(run).rejects.toMatchObject({ name: 'ProbeStopped' })
    expect(await fleet.sessions()).toBe(0)
  })
})

describe('what a probe leaves behind', () => {
  it('is ended each by itself, and forgotten when it has ended by itself', async () => {
    const clock = new HeldClock()
    let now = 1_800_000_000
    clock.now = () => now
    const leftovers = new Leftovers(clock, 1_000)
    const ended: string[] = []
    leftovers.add(async () => {
      throw new Error('stays')
    })
    leftovers.add(async () => void ended.push('second'))
    expect(await leftovers.end()).toBe(false)
    expect([ended, leftovers.size]).toEqual([['second'], 1])
    now += 43_201
    expect(await leftovers.end()).toBe(true)
  })
})

describe('options', () => {
  it.each([
    [{ timeoutMs: 99 }, RangeError],
    [{ revocationMs: 60_001 }, RangeError],
    [{ agentApis: [] }, TypeError],
  ])('out of their bounds stop the start: %j', (change, error) => {
    expect(() =>
      createProber({ issuer: fleet.issuer, agentApis: [fleet.agentApi], accounts: fleet.accounts, ...change }),
    ).toThrow(error)
  })
})
