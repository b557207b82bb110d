import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { fetchDocument as neutralFetch } from '../src/fetch-document.ts'
import { allowInsecureIssuer, createVerifier } from '../src/index.ts'
import { type JwksEvent, type RemoteJwksOptions, remoteJwks } from '../src/jwks.ts'
import { resolveJwksOptions } from '../src/jwks-options.ts'
import { FakeClock } from './support/fake-clock.ts'
import { ed25519Key, goodClaims, tokenWith } from './support/issuer.ts'

const first = ed25519Key('k1')
const second = ed25519Key('k2')
type Handler = (request: IncomingMessage, response: ServerResponse) => void

const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end()
})

function answer(document: unknown, headers: Record<string, string> = {}): Handler {
  return (_request, response) => {
    response.writeHead(200, { 'cache-control': 'max-age=300', ...headers })
    response.end(typeof document === 'string' ? document : JSON.stringify(document))
  }
}
const good = answer({ keys: [first.jwk] })

/** An endpoint whose behaviour can be changed, and a reader of it on a clock that stands still. */
async function setUp(handler: Handler = good, options: RemoteJwksOptions = {}) {
  const state = { handler, requests: 0 }
  const server: Server = createServer((request, response) => {
    state.requests++
    state.handler(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanUp.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  const clock = new FakeClock()
  const events: JwksEvent[] = []
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/.well-known/jwks.json?secret=1`
  const jwks = remoteJwks(url, { clock, onEvent: (event) => events.push(event), ...options })
  cleanUp.push(() => jwks.close())
  /** Lets background fetches reach their end. */
  const settle = async (): Promise<void> => {
    await jwks.refresh()
  }
  return { jwks, state, clock, events, url, settle, last: () => events.at(-1) }
}

/** Waits for a background fetch that the clock has set off. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!condition() && performance.now() < deadline) await new Promise((resolve) => setImmediate(resolve))
  expect(condition()).toBe(true)
}

describe('reading a JWKS', () => {
  it('fetches when first asked, and holds the keys in memory', async () => {
    const { jwks, state, last } = await setUp()
    expect(jwks.ready).toBe(false)
    expect(jwks.get('k1')).toBeUndefined()
    expect(state.requests).toBe(0)
    expect((await jwks.load('k1'))?.kid).toBe('k1')
    expect(jwks.ready).toBe(true)
    expect(jwks.get('k1')?.x).toBe(first.jwk.x)
    expect(state.requests).toBe(1)
    expect(last()).toMatchObject({
      type: 'jwks_refreshed',
      keys: 1,
      added: 1,
      removed: 0,
      skipped: 0,
      freshSeconds: 300,
    })
    expect(JSON.stringify(last())).not.toContain('secret')
    // What is there is not asked for again.
    expect((await jwks.load('k1'))?.kid).toBe('k1')
    expect(state.requests).toBe(1)
  })

  it('names what it holds', async () => {
    const { jwks } = await setUp(answer({ keys: [second.jwk, first.jwk] }))
    expect(jwks.kids()).toEqual([])
    await jwks.refresh()
    expect(jwks.kids()).toEqual(['k2', 'k1'])
  })

  it('joins a reading under way', async () => {
    const { jwks, state } = await setUp()
    expect(await Promise.all([jwks.refresh(), jwks.refresh(), jwks.load('k1')])).toMatchObject([
      true,
      true,
      { kid: 'k1' },
    ])
    expect(state.requests).toBe(1)
  })

  it('goes through the fetch that it is given', async () => {
    const asked: unknown[] = []
    const own = async (url: unknown): Promise<Response> => {
      asked.push(String(url))
      return Response.json({ keys: [first.jwk] })
    }
    const jwks = remoteJwks('https://auth.example.com/jwks.json', {
      fetch: own as typeof fetch,
      clock: new FakeClock(),
    })
    cleanUp.push(() => jwks.close())
    expect((await jwks.load('k1'))?.kid).toBe('k1')
    expect(asked).toEqual(['https://auth.example.com/jwks.json'])
  })

  it.each([
    ['never answers and heeds no signal', () => new Promise<never>(() => {})],
    ['throws', () => Promise.reject(new Error('x'))],
    [
      'throws before it promises',
      () => {
        throw new Error('x')
      },
    ],
  ])('is not kept waiting by a fetch that %s', async (_what, own) => {
    const clock = new FakeClock()
    const jwks = remoteJwks('https://auth.example.com/jwks.json', { fetch: own as typeof fetch, clock })
    cleanUp.push(() => jwks.close())
    const asked = jwks.load('k1')
    clock.advance(3)
    await expect(asked).rejects.toMatchObject({ code: 'keys_unavailable' })
    const again = jwks.load('k1')
    jwks.close()
    await expect(again).rejects.toMatchObject({ code: 'keys_unavailable' })
  })

  it('finds a host of this machine by its name', async () => {
    const { url } = await setUp()
    const jwks = remoteJwks(url.replace('127.0.0.1', 'localhost'), { clock: new FakeClock() })
    cleanUp.push(() => jwks.close())
    expect(await jwks.refresh()).toBe(true)
  })

  it('makes one fetch for many askers', async () => {
    const { jwks, state } = await setUp()
    const found = await Promise.all(Array.from({ length: 50 }, () => jwks.load('k1')))
    expect(new Set(found).size).toBe(1)
    expect(state.requests).toBe(1)
  })

  it('skips what is of no use here, and takes the rest', async () => {
    const { jwks, last } = await setUp(
      answer({
        keys: [
          { kty: 'oct', kid: 'secret', k: 'AAAA' },
          { kty: 'LMS', kid: 'future' },
          { ...second.jwk, kid: 'enc', use: 'enc' },
          { ...second.jwk, kid: 'leaked', d: 'AAAA' },
          { ...second.jwk, kid: undefined },
          first.jwk,
        ],
      }),
    )
    expect((await jwks.load('k1'))?.kid).toBe('k1')
    for (const kid of ['secret', 'future', 'enc', 'leaked']) expect(jwks.get(kid)).toBeUndefined()
    expect(last()).toMatchObject({ keys: 1, skipped: 5 })
  })

  it('takes the keys beside one that is nested deeper than a stack', async () => {
    const { jwks, last } = await setUp(answer(`{"keys":[${nestedKey},${JSON.stringify(first.jwk)}]}`))
    expect((await jwks.load('k1'))?.x).toBe(first.jwk.x)
    expect(last()).toMatchObject({ keys: 1, skipped: 1 })
  })

  it.each([
    ['no cache header', {}, 300],
    ['max-age', { 'cache-control': 'public, max-age=600, stale-while-revalidate=60' }, 600],
    ['max-age and Age', { 'cache-control': 'max-age=600', age: '100' }, 500],
    ['a short max-age', { 'cache-control': 'max-age=1' }, 30],
    ['a long max-age', { 'cache-control': 'max-age=31536000' }, 3600],
    ['no-store', { 'cache-control': 'no-store, max-age=600' }, 30],
    ['an Age beyond max-age', { 'cache-control': 'max-age=600', age: '9999' }, 30],
    ['nonsense', { 'cache-control': 'max-age=-1, max-age=ten' }, 300],
  ])('honours %s within the clamps', async (_why, headers, seconds) => {
    const { jwks, last } = await setUp((_request, response) => {
      response.writeHead(200, headers)
      response.end(JSON.stringify({ keys: [first.jwk] }))
    })
    await jwks.refresh()
    expect(last()).toMatchObject({ freshSeconds: seconds })
  })

  it('reads again at 80 % of the age, without anybody asking', async () => {
    const { jwks, state, clock, events } = await setUp()
    await jwks.refresh()
    clock.advance(239)
    expect(state.requests).toBe(1)
    clock.advance(1)
    await until(() => events.filter(({ type }) => type === 'jwks_refreshed').length === 2)
    clock.advance(239)
    expect(state.requests).toBe(2)
    clock.advance(1)
    await until(() => state.requests === 3)
  })

  it('takes out a key that is gone and keeps the others the same objects', async () => {
    const { jwks, state, last } = await setUp(answer({ keys: [first.jwk, second.jwk] }))
    await jwks.refresh()
    const kept = jwks.get('k1')
    state.handler = answer({ keys: [{ ...first.jwk, x5t: 'new and of no use' }] })
    await jwks.refresh()
    expect(jwks.get('k1')).toBe(kept)
    expect(jwks.get('k2')).toBeUndefined()
    expect(last()).toMatchObject({ keys: 1, added: 0, removed: 1 })
    state.handler = answer({ keys: [{ ...second.jwk, kid: 'k1' }] })
    await jwks.refresh()
    expect(jwks.get('k1')).not.toBe(kept)
    expect(jwks.get('k1')?.x).toBe(second.jwk.x)
  })

  it('asks with the ETag and takes 304 for the same keys', async () => {
    const { jwks, state, last } = await setUp(answer({ keys: [first.jwk] }, { etag: '"a"' }))
    await jwks.refresh()
    const kept = jwks.get('k1')
    let asked: string | undefined
    state.handler = (request, response) => {
      asked = request.headers['if-none-match']
      response.writeHead(304, { 'cache-control': 'max-age=900' })
      response.end()
    }
    expect(await jwks.refresh()).toBe(true)
    expect(asked).toBe('"a"')
    expect(jwks.get('k1')).toBe(kept)
    expect(last()).toMatchObject({ type: 'jwks_refreshed', freshSeconds: 900 })
    // It did not repeat the tag, which still holds; an answer of its own without one ends that.
    await jwks.refresh()
    expect(asked).toBe('"a"')
    state.handler = good
    await jwks.refresh()
    state.handler = (request, response) => {
      asked = request.headers['if-none-match']
      good(request, response)
    }
    await jwks.refresh()
    expect(asked).toBeUndefined()
  })

  it('sends nothing that would tell who asks', async () => {
    let headers: IncomingMessage['headers'] = {}
    const { jwks } = await setUp((request, response) => {
      headers = request.headers
      good(request, response)
    })
    await jwks.refresh()
    expect(Object.keys(headers).sort()).toEqual(['accept', 'accept-encoding', 'connection', 'host'])
  })
})

/** Deeper than a stack reaches, in half of the bytes that a set may have. */
const nestedKey = `{"kty":"oct","kid":"k1","z":${'['.repeat(16_000)}${']'.repeat(16_000)}}`

const hostile: [why: string, handler: Handler, reason: string][] = [
  ['answers 500', (_q, r) => void r.writeHead(500).end('{}'), 'status'],
  ['answers 404', (_q, r) => void r.writeHead(404).end(JSON.stringify({ keys: [first.jwk] })), 'status'],
  ['redirects', (_q, r) => void r.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(), 'redirect'],
  ['redirects to itself', (q, r) => void r.writeHead(307, { location: q.url }).end(), 'redirect'],
  ['answers 304 to a first question', (_q, r) => void r.writeHead(304).end(), 'status'],
  ['cuts the connection', (q) => void q.socket.destroy(), 'network'],
  [
    'cuts the answer',
    (_q, r) => {
      r.writeHead(200, { 'content-length': '1000' })
      r.write('{"keys":')
      setImmediate(() => r.destroy())
    },
    'network',
  ],
  [
    'switches protocols',
    (q) => void q.socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n'),
    'network',
  ],
  ['sends no HTTP', (q) => void q.socket.end('hello\r\n\r\n'), 'network'],
  ['sends no JSON', answer('<html>'), 'not_a_key_set'],
  ['sends a list', answer([first.jwk]), 'not_a_key_set'],
  ['sends null', answer('null'), 'not_a_key_set'],
  ['sends keys that are no objects', answer({ keys: ['k1'] }), 'not_a_key_set'],
  ['sends no keys', answer({ keys: [] }), 'no_usable_key'],
  ['sends no usable keys', answer({ keys: [{ kty: 'oct', k: 'AAAA', kid: 'k1' }] }), 'no_usable_key'],
  ['sends a key nested deeper than a stack', answer(`{"keys":[${nestedKey}]}`), 'no_usable_key'],
  ['sends two keys of one id', answer({ keys: [first.jwk, { ...second.jwk, kid: 'k1' }] }), 'duplicate_kid'],
  [
    'sends 33 keys',
    answer({ keys: Array.from({ length: 33 }, (_, index) => ({ ...first.jwk, kid: `k${index}` })) }),
    'too_many_keys',
  ],
  ['sends 64 KiB and one byte', answer(JSON.stringify({ keys: [first.jwk] }).padEnd(65_537)), 'too_large'],
  [
    'sends without end',
    (q, r) => {
      r.writeHead(200)
      const more = (): void => {
        while (!q.socket.destroyed && r.write(' '.repeat(16_384)));
        if (!q.socket.destroyed) r.once('drain', more)
      }
      more()
    },
    'too_large',
  ],
  ['sends a compressed bomb', answer('', { 'content-encoding': 'gzip' }), 'not_a_key_set'],
]

const isFault = ([why]: (typeof hostile)[number]): boolean => !why.includes('304')

describe.each(hostile)('an endpoint that %s', (why, handler, reason) => {
  it('gives no keys, but a refusal that says whose fault it is', async () => {
    const { jwks, last } = await setUp(handler)
    await expect(jwks.load('k1')).rejects.toMatchObject({
      name: 'TokenRejected',
      code: 'keys_unavailable',
      where: 'header.kid',
      setting: 'keys',
      message: expect.stringMatching(new RegExp(`^No key set could be read \\(${reason}( \\d+)?\\)\\.$`)),
      cause: expect.objectContaining({ message: expect.stringMatching(new RegExp(`^http://.*: ${reason}`)) }),
    })
    expect(last()).toMatchObject({ type: 'jwks_refresh_failed', reason, keysKept: false, staleSeconds: 0 })
    const status = /answers (\d+)/.exec(why)?.[1]
    if (status !== undefined) expect(last()).toHaveProperty('status', Number(status))
    else if (reason !== 'redirect') expect(last()).not.toHaveProperty('status')
  })
})

describe.each(hostile.filter(isFault))('an endpoint that later %s', (_why, handler, reason) => {
  it('costs no keys that are there', async () => {
    const { jwks, state, last } = await setUp()
    await jwks.refresh()
    const kept = jwks.get('k1')
    state.handler = handler
    expect(await jwks.refresh()).toBe(false)
    expect(jwks.get('k1')).toBe(kept)
    expect(last()).toMatchObject({ type: 'jwks_refresh_failed', reason, keysKept: true, staleSeconds: 0 })
  })
})

describe.each([
  ['the runtime that sees addresses', {}],
  ['plain fetch', { fetch }],
])('through %s', (_name, options) => {
  it.each(hostile.filter(([, , reason]) => ['redirect', 'too_large', 'status', 'network'].includes(reason)))(
    'an endpoint that %s is refused alike',
    async (_why, handler, reason) => {
      const { jwks, last } = await setUp(handler, options)
      expect(await jwks.refresh()).toBe(false)
      expect(last()).toMatchObject({ reason })
    },
  )

  it('gives up after 3 s in all, however it drips', async () => {
    const { jwks, clock, state, last } = await setUp((_request, response) => {
      response.writeHead(200)
      response.write('{')
    }, options)
    const reading = jwks.refresh()
    await until(() => state.requests === 1)
    clock.advance(2.9)
    await new Promise((resolve) => setImmediate(resolve))
    expect(last()).toBeUndefined()
    clock.advance(0.2)
    expect(await reading).toBe(false)
    expect(last()).toMatchObject({ reason: 'timeout' })
  })

  it('gives up after 3 s of silence', async () => {
    const { jwks, clock, state, last } = await setUp(() => {}, options)
    const reading = jwks.refresh()
    await until(() => state.requests === 1)
    clock.advance(3)
    expect(await reading).toBe(false)
    expect(last()).toMatchObject({ reason: 'timeout' })
  })

  it('takes a document of exactly 64 KiB', async () => {
    const { jwks } = await setUp(answer(JSON.stringify({ keys: [first.jwk] }).padEnd(65_536)), options)
    expect(await jwks.refresh()).toBe(true)
  })
})

describe('limits on fetches (row 21)', () => {
  it('never makes more than 2 and one for each 30 s, whatever ids come', async () => {
    const { jwks, state, clock } = await setUp()
    for (let second = 0; second < 300; second++) {
      for (let index = 0; index < 20; index++) expect(await jwks.load(`random-${second}-${index}`)).toBeUndefined()
      clock.advance(1)
    }
    expect(state.requests).toBeLessThanOrEqual(2 + 300 / 30)
    expect(state.requests).toBeGreaterThan(5)
  })

  it('holds them against a failing endpoint too: the try is counted, not the success', async () => {
    const { jwks, state, clock, last } = await setUp((_q, r) => void r.writeHead(500).end())
    for (let second = 0; second < 120; second++) {
      for (let index = 0; index < 10; index++) {
        await expect(jwks.load(`random-${second}-${index}`)).rejects.toMatchObject({ code: 'keys_unavailable' })
      }
      clock.advance(1)
    }
    expect(state.requests).toBeLessThanOrEqual(2 + 120 / 30)
    expect(last()).toMatchObject({ keysKept: false })
  })

  it('counts what operators ask for against the limits, but does not hold it back', async () => {
    const { jwks, state } = await setUp()
    for (let round = 0; round < 4; round++) expect(await jwks.refresh()).toBe(true)
    expect(state.requests).toBe(4)
    expect(await jwks.load('stray')).toBeUndefined()
    expect(state.requests).toBe(4)
  })

  it('does not remember an id as unknown when the answer was none', async () => {
    const { jwks, state, clock } = await setUp()
    await jwks.refresh()
    state.handler = (_request, response) => void response.writeHead(500).end()
    expect(await jwks.load('k2')).toBeUndefined()
    state.handler = answer({ keys: [first.jwk, second.jwk] })
    clock.advance(30)
    expect((await jwks.load('k2'))?.kid).toBe('k2')
  })

  it('says once that it held one back', async () => {
    const { jwks, events } = await setUp()
    for (let index = 0; index < 50; index++) await jwks.load(`random-${index}`)
    expect(events.filter(({ type }) => type === 'jwks_fetch_limited')).toHaveLength(1)
    expect(JSON.stringify(events)).not.toContain('random')
  })

  it('says what came of asking for an id that the set did not have: neither the id nor the query', async () => {
    const { jwks, state, clock, events, url } = await setUp()
    await jwks.load('k1')
    const outcomes = (): unknown[] =>
      events.flatMap((event) => (event.type === 'jwks_unknown_kid' ? [event.outcome] : []))
    expect(outcomes()).toEqual([])
    await jwks.load('k2')
    expect(outcomes()).toEqual(['absent'])
    clock.advance(60)
    state.handler = answer({ keys: [first.jwk, second.jwk] })
    await jwks.load('k2')
    expect(outcomes()).toEqual(['absent', 'found'])
    state.handler = (_request, response) => void response.writeHead(500).end()
    clock.advance(30)
    expect(await jwks.load('k3')).toBeUndefined()
    expect(outcomes()).toEqual(['absent', 'found', 'failed'])
    expect(new Set(events.map((event) => event.url))).toEqual(new Set([url.split('?')[0]]))
    expect(JSON.stringify(events)).not.toMatch(/secret|k[23]/)
  })

  it('does not ask again for an id that was not there, until the set is read anew', async () => {
    const { jwks, state, clock } = await setUp()
    await jwks.load('k1')
    await jwks.load('k2')
    expect(state.requests).toBe(2)
    clock.advance(59)
    // The bucket has a token again by now: it is the id that is remembered.
    expect(await jwks.load('k2')).toBeUndefined()
    expect(state.requests).toBe(2)
    clock.advance(1)
    state.handler = answer({ keys: [first.jwk, second.jwk] })
    expect((await jwks.load('k2'))?.kid).toBe('k2')
    expect(state.requests).toBe(3)
  })

  it('forgets the ids that were not there when the set is read', async () => {
    const { jwks, state, clock } = await setUp()
    await jwks.load('k1')
    await jwks.load('k2')
    await jwks.refresh()
    state.handler = answer({ keys: [first.jwk, second.jwk] })
    clock.advance(59)
    expect((await jwks.load('k2'))?.kid).toBe('k2')
  })

  it('finds a fresh key although one stray id came just before', async () => {
    const { jwks, state } = await setUp()
    await jwks.refresh()
    state.handler = answer({ keys: [first.jwk, second.jwk] })
    expect((await jwks.load('stray')) ?? (await jwks.load('k2'))?.kid).toBe('k2')
  })
})

describe('an endpoint that is down', () => {
  const down: Handler = (_q, r) => void r.writeHead(503).end()

  it('costs no good token for 24 h past the age, tells how stale the keys are, and then ends', async () => {
    const { jwks, state, clock, events, last } = await setUp()
    await jwks.refresh()
    state.handler = down
    for (let hour = 0; hour < 24; hour++) {
      clock.advance(3600)
      const before = state.requests
      await until(() => state.requests > before || jwks.get('k1') !== undefined)
      await jwks.load('k1')
      expect(jwks.get('k1')?.kid, `after ${hour + 1} h`).toBe('k1')
    }
    await until(() => (last() as { staleSeconds?: number }).staleSeconds !== undefined)
    expect(last()).toMatchObject({ type: 'jwks_refresh_failed', keysKept: true })
    clock.advance(600)
    expect(jwks.get('k1')).toBeUndefined()
    expect(jwks.ready).toBe(false)
    await expect(jwks.load('k1')).rejects.toMatchObject({ code: 'keys_unavailable' })
    expect(events.filter(({ type }) => type === 'jwks_expired')).toHaveLength(1)
    state.handler = good
    expect(await jwks.refresh()).toBe(true)
    expect(jwks.get('k1')?.kid).toBe('k1')
  })

  it('is asked again about every 30 s until it is back', async () => {
    const { jwks, state, clock, last } = await setUp()
    await jwks.refresh()
    state.handler = down
    clock.advance(240)
    await until(() => last()?.type === 'jwks_refresh_failed')
    state.handler = good
    clock.advance(30)
    await until(() => last()?.type === 'jwks_refreshed')
  })

  it('is told to be stale by how many seconds', async () => {
    const { jwks, state, clock, events } = await setUp()
    await jwks.refresh()
    state.handler = down
    for (const [failures, seconds] of [240, 30, 30, 30].entries()) {
      clock.advance(seconds)
      await until(() => events.length === failures + 2)
      // The next turn sets the timer.
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(events.flatMap((event) => ('staleSeconds' in event ? [event.staleSeconds] : []))).toEqual([0, 0, 0, 30])
  })

  it('does not let keys be used for more than a day past their age, by the wall clock either', async () => {
    const { jwks, state, clock } = await setUp()
    await jwks.refresh()
    state.handler = down
    expect(await jwks.refresh()).toBe(false)
    clock.jump(86_400 + 299)
    expect(jwks.get('k1')?.kid).toBe('k1')
    clock.jump(1)
    expect(jwks.get('k1')).toBeUndefined()
  })

  it('lets keys be used until their age and not one moment longer when nobody has tried', async () => {
    const { jwks, clock, state } = await setUp()
    await jwks.refresh()
    clock.jump(299)
    expect(jwks.get('k1')?.kid).toBe('k1')
    clock.jump(1)
    expect(jwks.get('k1')).toBeUndefined()
    // Someone tries: the keys are used until that has an end.
    state.handler = () => {}
    const reading = jwks.refresh()
    expect(jwks.get('k1')?.kid).toBe('k1')
    jwks.close()
    await reading
  })

  it('does not let keys be used past their age when nobody has tried: a machine may have slept', async () => {
    const { jwks, clock, state } = await setUp()
    await jwks.refresh()
    clock.jump(3600)
    expect(jwks.get('k1')).toBeUndefined()
    expect((await jwks.load('k1'))?.kid).toBe('k1')
    expect(state.requests).toBe(2)
  })
})

describe('closing', () => {
  it('ends a fetch under way and sets no more timers', async () => {
    const { jwks, clock, state, events } = await setUp(() => {})
    const reading = jwks.refresh()
    await until(() => state.requests === 1)
    jwks.close()
    expect(await reading).toBe(false)
    expect(clock.timers).toBe(0)
    expect(events).toEqual([])
    expect(await jwks.refresh()).toBe(false)
    await expect(jwks.load('k1')).rejects.toMatchObject({ code: 'keys_unavailable' })
    expect(state.requests).toBe(1)
  })
})

describe('the URL', () => {
  const refused: [url: string, code: string][] = [
    ['http://auth.example.com/jwks.json', 'insecure_url'],
    ['ftp://auth.example.com/jwks.json', 'bad_option'],
    ['data:application/json,{}', 'bad_option'],
    ['/jwks.json', 'bad_option'],
    ['https://user:secret@auth.example.com/jwks.json', 'bad_option'],
    ['https://10.0.0.1/jwks.json', 'insecure_url'],
    ['https://192.168.1.1/', 'insecure_url'],
    ['https://172.16.0.1/', 'insecure_url'],
    ['https://169.254.169.254/latest/meta-data', 'insecure_url'],
    ['https://100.64.0.1/', 'insecure_url'],
    ['https://0.0.0.0/', 'insecure_url'],
    ['https://224.0.0.1/', 'insecure_url'],
    ['https://0x0a000001/', 'insecure_url'],
    ['https://167772161/', 'insecure_url'],
    ['https://[::]/', 'insecure_url'],
    ['https://[fe80::1]/', 'insecure_url'],
    ['https://[fc00::1]/', 'insecure_url'],
    ['https://[ff02::1]/', 'insecure_url'],
    ['https://[::ffff:10.0.0.1]/', 'insecure_url'],
    ['https://[64:ff9b::a00:1]/', 'insecure_url'],
    ['https://[2002:a00:1::]/', 'insecure_url'],
  ]
  it.each(refused)('may not be %s', (url, code) => {
    const message = expect.stringMatching(/^remoteJwks: the URL .{10,}\.$/)
    expect(() => remoteJwks(url)).toThrow(expect.objectContaining({ name: 'TokensError', code, message }))
  })

  it.each([
    'https://auth.example.com/jwks.json',
    'https://93.184.215.14/jwks.json',
    'https://[2606:2800:21f::1]/jwks.json',
    'http://localhost:4600/jwks.json',
    'https://127.0.0.1/jwks.json',
    'http://[::1]:4600/jwks.json',
  ])('may be %s', (url) => expect(() => remoteJwks(url).close()).not.toThrow())

  it('may be private, or plain http, when that is said', () => {
    expect(() => remoteJwks('https://10.0.0.1/jwks.json', { allowPrivateAddresses: true })).not.toThrow()
    expect(() => remoteJwks('http://auth.test/jwks.json', { [allowInsecureIssuer]: true })).not.toThrow()
  })

  it.each([
    ['a time-out of 99 ms', { timeoutMs: 99 }],
    ['a time-out of 10,001 ms', { timeoutMs: 10_001 }],
    ['1,023 bytes', { maxBytes: 1_023 }],
    ['more than a mebibyte', { maxBytes: 1_048_577 }],
    ['a scale of 0', { demo: { scale: 0 } }],
    ['a scale above 1', { demo: { scale: 1.1 } }],
    ['a fetch that is none', { fetch: 'undici' }],
    ['an observer that cannot be called', { onEvent: console }],
    ['a clock that is none', { clock: Date }],
    ['a misspelt name', { timeout: 100 }],
  ])('does not go with %s', (_why, options) => {
    const name = Object.keys(options)[0]
    const message = expect.stringMatching(new RegExp(`^remoteJwks: "${name}(\\.scale)?" .{10,}`))
    expect(() => remoteJwks('http://localhost/', options as RemoteJwksOptions)).toThrow(
      expect.objectContaining({ code: 'bad_option', message }),
    )
  })

  it.each([
    { timeoutMs: 100 },
    { timeoutMs: 10_000 },
    { maxBytes: 1_024 },
    { maxBytes: 1_048_576 },
    { demo: { scale: 1 } },
    { allowPrivateAddresses: false },
  ])('goes with %j', (options) => expect(() => remoteJwks('http://localhost/', options)).not.toThrow())
})

describe('the resolved options', () => {
  const resolve = (url: string, options: RemoteJwksOptions = {}) => resolveJwksOptions(url, options, neutralFetch)

  it.each<[url: string, options: RemoteJwksOptions, addresses: string]>([
    ['https://auth.example.com/', {}, 'public'],
    ['http://localhost/', {}, 'loopback'],
    ['http://localhost/', { allowPrivateAddresses: true }, 'loopback'],
    ['https://auth.example.com/', { allowPrivateAddresses: true }, 'any'],
    ['http://auth.example.com/', { [allowInsecureIssuer]: true }, 'any'],
  ])('for %s with %j allow %s addresses', (url, options, addresses) => {
    expect(resolve(url, options)).toMatchObject({ addresses, fetchDocument: neutralFetch })
  })

  it('are these unless it is said otherwise, and the ages of a demo times its scale', () => {
    const fixed = { timeoutMs: 3_000, maxBytes: 65_536, refreshAt: 0.8, burst: 2, unknownKids: 1_024 }
    const ages = {
      defaultAgeMs: 300,
      leastAgeMs: 30,
      mostAgeMs: 3_600,
      staleMs: 86_400,
      refillMs: 30,
      unknownKidMs: 60,
    }
    const times = (factor: number) => Object.fromEntries(Object.entries(ages).map(([name, s]) => [name, s * factor]))
    expect(resolve('http://localhost/').limits).toEqual({ ...fixed, ...times(1000) })
    expect(resolve('http://localhost/', { demo: { scale: 0.5 } }).limits).toEqual({ ...fixed, ...times(500) })
  })
})

describe('a demo', () => {
  it('is for loopback only', () => {
    const message = expect.stringContaining('"demo" is for loopback')
    expect(() => remoteJwks('https://auth.example.com/', { demo: { scale: 0.01 } })).toThrow(
      expect.objectContaining({ code: 'bad_option', message }),
    )
  })

  it('scales ages and limits together', async () => {
    const { jwks, state, clock, last } = await setUp(answer({ keys: [first.jwk] }, { 'cache-control': 'max-age=1' }), {
      demo: { scale: 0.01 },
    })
    await jwks.load('k1')
    expect(last()).toMatchObject({ freshSeconds: 1 })
    clock.advance(0.8)
    await until(() => state.requests === 2)
    for (let index = 0; index < 50; index++) await jwks.load(`random-${index}`)
    expect(state.requests).toBeLessThanOrEqual(4)
    clock.advance(0.3)
    await jwks.load('another')
    expect(state.requests).toBeLessThanOrEqual(5)
  })
})

describe('a verifier over a remote JWKS', () => {
  it('follows a rotation, and refuses tokens of a key that is gone at once (row 22)', async () => {
    const { jwks, state, clock } = await setUp()
    const verifier = createVerifier({ issuer: goodClaims.iss, audience: goodClaims.aud, keys: jwks, clock })
    const [old, next] = [tokenWith({}, first), tokenWith({}, second)]
    expect(() => verifier.verifySync(old)).toThrow(expect.objectContaining({ code: 'keys_unavailable' }))
    expect((await verifier.verify(old)).keyId).toBe('k1')
    state.handler = answer({ keys: [first.jwk, second.jwk] })
    expect((await verifier.verify(next)).keyId).toBe('k2')
    expect(verifier.verifySync(old).keyId).toBe('k1')
    state.handler = answer({ keys: [second.jwk] })
    await jwks.refresh()
    expect(() => verifier.verifySync(old)).toThrow(expect.objectContaining({ code: 'unknown_key' }))
    expect(verifier.verifySync(next).keyId).toBe('k2')
  })

  it('says that it cannot decide while no key set could be read', async () => {
    const { jwks, clock } = await setUp((_q, r) => void r.writeHead(500).end())
    const verifier = createVerifier({ issuer: goodClaims.iss, audience: goodClaims.aud, keys: jwks, clock })
    await expect(verifier.verify(tokenWith({}, first))).rejects.toMatchObject({ code: 'keys_unavailable' })
    await expect(verifier.verify('a.b.c')).rejects.toMatchObject({ code: 'malformed' })
  })
})

it('survives an observer that throws', async () => {
  const { jwks } = await setUp(good, {
    onEvent: () => {
      throw new Error('observer')
    },
  })
  expect(await jwks.refresh()).toBe(true)
})

it('reads without Node too', async () => {
  const { url } = await setUp()
  const request = {
    url: new URL(url),
    signal: AbortSignal.timeout(30_000),
    maxBytes: 65_536,
    addresses: 'any',
    etag: undefined,
  } as const
  expect(await neutralFetch(request)).toMatchObject({ ok: true, status: 200, cacheControl: 'max-age=300' })
})
