import { beforeEach, describe, expect, it } from 'vitest'
import { type RunnerEvent, type RunnerFetchOptions, runnerFetch } from '../src/node/runner/index.ts'
import { type ConvexRunnerWorld, convexRunnerWorld } from './convex-runner-world.ts'
import { memoryKeys, until } from './runner-world.ts'

let world: ConvexRunnerWorld
beforeEach(async () => {
  world = await convexRunnerWorld()
})

async function client(more: Partial<RunnerFetchOptions> = {}) {
  const { keys } = await world.paired()
  const events: RunnerEvent[] = []
  const asked: string[] = []
  const call = runnerFetch({
    url: world.url,
    keys,
    clock: world.clock,
    onEvent: (event) => events.push(event),
    random: () => 1,
    fetch: (url, init) => {
      asked.push(new URL(url).pathname)
      return fetch(url, init)
    },
    ...more,
  })
  const status = async (path = '/whoami', init: RequestInit = {}): Promise<number> => {
    const response = await call(path, init)
    await response.arrayBuffer()
    return response.status
  }
  return { call, status, events, tokens: () => asked.filter((path) => path === '/runner/token').length, asked }
}

it('renews its token during a long job', async () => {
  const { status, tokens } = await client()
  for (let minute = 0; minute < 60; minute++) {
    expect(await status()).toBe(200)
    await world.clock.pass(60)
  }
  // A token of ten minutes is renewed after seven and a half: at the first call past that.
  expect(tokens()).toBe(Math.ceil(60 / 8))
})

describe('while Clerk is down', () => {
  it('a paired runner goes on, for hours and with new tokens', async () => {
    const { status, tokens } = await client()
    expect(await status()).toBe(200)
    world.clerk.setOutage('drop')
    try {
      for (let hour = 0; hour < 3; hour++) {
        await world.clock.pass(3_600)
        expect(await status()).toBe(200)
      }
      expect(tokens()).toBe(4)
    } finally {
      world.clerk.setOutage(undefined)
    }
  })

  it('a new runner is paired by a session that lives, and exchanged ones hold by pinned keys', async () => {
    world.clerk.setOutage('unavailable')
    try {
      const keys = memoryKeys()
      await world.pair({ keys })
      const getSession = async (): Promise<string> => world.session()
      const call = runnerFetch({ url: world.url, keys, clock: world.clock, getSession })
      expect((await call('/whoami')).status).toBe(200)
    } finally {
      world.clerk.setOutage(undefined)
    }
  })
})

describe('while Convex is down', () => {
  it('a call fails by a code, and the next one after it goes through', async () => {
    const { status, call } = await client()
    expect(await status()).toBe(200)
    world.loopback.setOutage(true)
    await expect(call('/whoami')).rejects.toMatchObject({ name: 'RunnerError', code: 'api_unavailable' })
    await world.clock.pass(700)
    await expect(call('/whoami')).rejects.toMatchObject({ name: 'RunnerError', code: 'issuer_unavailable' })
    world.loopback.setOutage(false)
    expect(await status()).toBe(200)
  })

  it('a call that may be made twice is tried again, ever more slowly, until it is back', async () => {
    const { status, asked } = await client({ retrySeconds: 120 })
    expect(await status()).toBe(200)
    asked.length = 0
    world.loopback.setOutage(true)
    const later = status()
    for (const seconds of [1, 2, 4, 8, 16]) {
      await until(() => world.clock.timers > 0)
      await world.clock.pass(seconds - 0.5)
      expect(world.clock.timers).toBe(1)
      if (seconds === 16) world.loopback.setOutage(false)
      await world.clock.pass(0.5)
    }
    expect(await later).toBe(200)
    expect(asked).toEqual(Array(6).fill('/whoami'))
  })

  it('a call that was sent and may not be made twice is not, unless it says how it is known again', async () => {
    const { status, call, asked } = await client({ retrySeconds: 3 })
    expect(await status()).toBe(200)
    asked.length = 0
    world.loopback.setOutage(true)
    const post = { method: 'POST', body: '{}' }
    await expect(call('/jobs', post)).rejects.toMatchObject({ code: 'api_unavailable' })
    expect(asked).toHaveLength(1)
    const known = call('/jobs', { ...post, headers: { 'idempotency-key': 'job-1' } })
    await until(() => world.clock.timers > 0)
    world.loopback.setOutage(false)
    await world.clock.pass(1)
    expect((await known).status).toBe(200)
  })

  it('gives up after the time that it was given, and at once when it is told to', async () => {
    const { status, call } = await client({ retrySeconds: 3 })
    expect(await status()).toBe(200)
    world.loopback.setOutage(true)
    const late = call('/whoami')
    const given = expect(late).rejects.toMatchObject({ code: 'api_unavailable' })
    for (const seconds of [1, 2]) {
      await until(() => world.clock.timers > 0)
      await world.clock.pass(seconds)
    }
    await given
    const stop = new AbortController()
    const stopped = expect(call('/whoami', { signal: stop.signal })).rejects.toThrow('enough')
    await until(() => world.clock.timers > 0)
    stop.abort(new Error('enough'))
    await stopped
    world.loopback.setOutage(false)
  })

  it('an answer of an outage is one that may be waited out, for as long as it says', async () => {
    const answers: Response[] = []
    const { status, call } = await client({
      retrySeconds: 60,
      fetch: (url, init) => Promise.resolve(answers.shift() ?? fetch(url, init)),
    })
    expect(await status()).toBe(200)
    const unavailable = (): Response => new Response(null, { status: 503, headers: { 'retry-after': '20' } })
    answers.push(unavailable())
    const later = status()
    await until(() => world.clock.timers > 0)
    await world.clock.pass(19)
    expect(world.clock.timers).toBe(1)
    await world.clock.pass(1)
    expect(await later).toBe(200)
    // What was sent, and may not be made twice, is answered with it.
    answers.push(unavailable())
    expect((await call('/jobs', { method: 'POST', body: '{}' })).status).toBe(503)
    // As is what would have to wait for longer than there is time.
    answers.push(new Response(null, { status: 503, headers: { 'retry-after': '61' } }))
    expect((await call('/whoami')).status).toBe(503)
  })

  it.each([-1, 86_401, Number.NaN])('%s seconds are no time to try for', (retrySeconds) => {
    const wrong = () => runnerFetch({ url: world.url, keys: memoryKeys(), retrySeconds })
    expect(wrong).toThrow(expect.objectContaining({ code: 'runner_bad_option' }))
  })

  it('waits for a token as long, whatever is to be sent with it', async () => {
    const { status } = await client({ retrySeconds: 60 })
    world.loopback.setOutage(true)
    const later = status('/jobs', { method: 'POST', body: '{}' })
    await until(() => world.clock.timers > 0)
    world.loopback.setOutage(false)
    await world.clock.pass(1)
    expect(await later).toBe(200)
  })
})
