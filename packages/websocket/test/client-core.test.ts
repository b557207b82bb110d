import { describe, expect, it } from 'vitest'
import {
  allowInsecureUrl,
  type ClientEvent,
  type ClientState,
  type ConnectOptions,
  connect,
} from '../src/client/index.ts'
import { testClock } from './core-world.ts'

/** A WebSocket whose server is the test. */
class FakeSocket {
  static all: FakeSocket[] = []
  readyState = 1
  onmessage: ((event: { data: unknown }) => void) | null = null
  onclose: ((event: { code: number; reason: string }) => void) | null = null
  onerror: ((event: unknown) => void) | null = null
  readonly sent: Record<string, unknown>[] = []
  readonly url: string
  closedWith: number | undefined
  constructor(url: string, protocols: string[]) {
    this.url = url
    expect(protocols).toEqual(['wsauth.v1'])
    FakeSocket.all.push(this)
  }
  send(text: string): void {
    this.sent.push(JSON.parse(text))
  }
  close(code?: number): void {
    this.closedWith = code
  }
  says(frame: unknown): void {
    this.onmessage?.({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) })
  }
  ends(code: number): void {
    this.readyState = 3
    this.onclose?.({ code, reason: '' })
  }
  accepts(more: object = {}): void {
    this.says({ type: 'auth.required', v: 1, methods: ['bearer'], deadlineMs: 5000, maxBytes: 8192 })
    this.says({ type: 'auth.ok', sid: 's', exp: 0, now: 0, pingMs: 25_000, pongMs: 10_000, scopes: [], ...more })
  }
}

function setUp(options: Partial<ConnectOptions> = {}) {
  FakeSocket.all = []
  const clock = testClock()
  const asked: { reason: string; token?: string; signal: AbortSignal }[] = []
  const events: ClientEvent[] = []
  const states: ClientState[] = []
  const socket = connect('wss://api.example.com/ws', {
    getToken: async (request) => {
      asked.push(request)
      return `token-${asked.length}`
    },
    WebSocket: FakeSocket,
    clock,
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    ...options,
  })
  socket.onState((state) => states.push(state))
  return { socket, clock, asked, events, states, last: () => FakeSocket.all.at(-1) as FakeSocket }
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn += 1) await Promise.resolve()
}

async function ready(options: Partial<ConnectOptions> = {}) {
  const world = setUp(options)
  await settled()
  world.last().accepts()
  expect(world.socket.state).toBe('ready')
  return world
}

describe('connecting', () => {
  it('has its token before it opens, and presents it when asked', async () => {
    const { last, socket, asked, states } = setUp()
    expect(FakeSocket.all).toHaveLength(0)
    await settled()
    expect(last().sent).toEqual([])
    last().says({ type: 'auth.required', v: 1, methods: ['bearer', 'pop'], deadlineMs: 5000, maxBytes: 8192 })
    expect(last().sent).toEqual([{ type: 'auth', token: 'token-1' }])
    // Nothing before auth.ok is a message.
    const heard: unknown[] = []
    socket.on('news', (data) => heard.push(data))
    last().says({ type: 'news', data: 1 })
    last().accepts()
    last().says({ type: 'news', data: 2 })
    expect([heard, states, asked.map(({ reason }) => reason)]).toEqual([[2], ['connecting', 'ready'], ['connect']])
  })

  it('gives up after 10 s without a question, and after 10 s without an answer', async () => {
    const { clock, last, socket } = setUp()
    await settled()
    clock.advance(9999)
    expect(socket.state).toBe('connecting')
    clock.advance(1)
    expect([socket.state, last().closedWith]).toEqual(['waiting', 1000])
    clock.advance(1000)
    await settled()
    last().says({ type: 'auth.required', v: 1, methods: ['bearer'] })
    clock.advance(10_000)
    expect(socket.state).toBe('waiting')
  })

  it('closes on a server that knows no method of ours, and does not come back', async () => {
    const { last, socket } = setUp()
    await settled()
    last().says({ type: 'auth.required', v: 2, methods: ['pop'] })
    expect(socket.state).toBe('stopped')
    expect(last().sent).toEqual([])
  })

  it('takes nothing that is no frame', async () => {
    for (const nonsense of ['', '[]', 'null', '{"type":1}', '{"type":"a","type":"b"}', new ArrayBuffer(1)]) {
      const { last, socket } = await ready()
      last().onmessage?.({ data: nonsense })
      expect([socket.state, FakeSocket.all[0]?.closedWith]).toEqual(['waiting', 4400])
    }
  })

  it('stops when nobody is signed in, and waits when a token cannot be had', async () => {
    const nobody = setUp({ getToken: async () => undefined })
    await settled()
    expect(nobody.socket.state).toBe('stopped')
    const failing = setUp({ getToken: async () => Promise.reject(new Error('offline')) })
    await settled()
    expect([failing.socket.state, failing.events[0]?.type]).toEqual(['waiting', 'token_failed'])
    const odd = setUp({ getToken: async () => null as unknown as string })
    await settled()
    expect(odd.socket.state).toBe('waiting')
    const slow = setUp({ getToken: () => new Promise(() => {}) })
    slow.clock.advance(30_000)
    expect(slow.socket.state).toBe('waiting')
  })

  it.each([
    'ws://api.example.com/ws',
    'ftp://a',
    'wss://u:p@a/',
    'wss://a/#x',
    '/ws',
    '',
    'wss://a/ws?token=canary',
    'wss://a/ws?a=1&Access_Token=canary',
    'wss://a/ws?%6awt=canary',
  ])('refuses the URL %j', (url) => {
    expect(() => connect(url, { getToken: async () => 'x', WebSocket: FakeSocket })).toThrow(
      expect.objectContaining({ code: 'bad_option', message: expect.not.stringContaining('canary') }),
    )
  })

  it.each([
    'wss://a/ws',
    'https://a/ws',
    'ws://localhost:1/ws',
    'ws://127.0.0.1/ws',
    'ws://[::1]/ws',
    'http://app.localhost/',
  ])('takes the URL %j', async (url) => {
    const socket = connect(url, { getToken: async () => 'x', WebSocket: FakeSocket })
    await settled()
    expect(FakeSocket.all.at(-1)?.url).toMatch(/^wss?:/)
    socket.close()
  })

  it('takes ws: to another machine only when told so by a symbol', async () => {
    const socket = connect('ws://test.internal/', {
      getToken: async () => 'x',
      WebSocket: FakeSocket,
      [allowInsecureUrl]: true,
    })
    socket.close()
    expect(() => connect('wss://a', {} as ConnectOptions)).toThrow(expect.objectContaining({ code: 'bad_option' }))
  })
})

describe('coming back', () => {
  it.each([
    [1000, 'waiting'],
    [1001, 'waiting'],
    [1006, 'waiting'],
    [1009, 'stopped'],
    [1011, 'waiting'],
    [4400, 'stopped'],
    [4401, 'stopped'],
    [4429, 'stopped'],
    [4430, 'waiting'],
    [4459, 'waiting'],
    [4460, 'waiting'],
    [4499, 'waiting'],
  ])('after %i it is %s', async (code, state) => {
    const { last, socket } = await ready()
    last().ends(code)
    expect(socket.state).toBe(state)
  })

  it('waits with full jitter to a bound that doubles, and from the start again after 30 s of connection', async () => {
    const waits: number[] = []
    const { socket, clock, last } = setUp({ random: () => 1 })
    socket.onState((state, { retryInMs }) => state === 'waiting' && waits.push(retryInMs ?? 0))
    for (let round = 0; round < 8; round += 1) {
      await settled()
      last().ends(1006)
      clock.advance(20_000)
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 20_000, 20_000, 20_000])
    await settled()
    last().accepts({ pingMs: 3_600_000 })
    clock.advance(30_000)
    last().ends(1006)
    expect(waits.at(-1)).toBe(1000)
    const low = setUp({ random: () => 0 })
    await settled()
    low.socket.onState((state, { retryInMs }) => state === 'waiting' && waits.push(retryInMs ?? 0))
    low.last().ends(1006)
    expect(waits.at(-1)).toBe(500)
  })

  it('waits at least as long as the server asked', async () => {
    const { last, socket, clock } = await ready()
    last().says({ type: 'error', code: 'going_away', retry: 'backoff', retryAfterMs: 7000 })
    last().ends(1001)
    clock.advance(6999)
    expect(socket.state).toBe('waiting')
    clock.advance(1)
    expect(socket.state).toBe('connecting')
  })

  it('comes no sooner for the impatient, but then at once', async () => {
    const { last, socket, clock } = await ready({ random: () => 1, backoff: { minMs: 20_000 } })
    const wake = () => globalThis.dispatchEvent?.(new Event('online'))
    last().says({ type: 'error', code: 'going_away', retry: 'backoff', retryAfterMs: 7000 })
    last().ends(1001)
    clock.advance(5000)
    socket.reconnect()
    wake()
    expect(socket.state).toBe('waiting')
    clock.advance(1999)
    expect(socket.state).toBe('waiting')
    clock.advance(1)
    expect(socket.state).toBe('connecting')
  })

  it('asks for another token than the refused one, at once after a quiet time', async () => {
    const { last, asked, clock, socket } = await ready()
    clock.advance(30_000)
    last().ends(4431)
    clock.advance(250)
    await settled()
    expect(asked.at(-1)).toMatchObject({ reason: 'rejected', token: 'token-1' })
    last().ends(4431)
    expect(socket.state).toBe('stopped')
  })

  it('connects once, however many say that it should', async () => {
    const { last, socket, clock } = await ready()
    last().ends(1006)
    socket.reconnect()
    socket.reconnect()
    globalThis.dispatchEvent?.(new Event('online'))
    clock.advance(60_000)
    await settled()
    expect(FakeSocket.all).toHaveLength(2)
  })

  it('notices a connection that died silently, and forgets what it still says', async () => {
    const { last, socket, clock } = await ready()
    const heard: unknown[] = []
    socket.on('news', (data) => heard.push(data))
    clock.advance(20_000)
    last().says({ type: 'ping', n: 3 })
    expect(last().sent.at(-1)).toEqual({ type: 'pong', n: 3 })
    clock.advance(34_999)
    expect(socket.state).toBe('ready')
    clock.advance(1)
    expect(socket.state).toBe('waiting')
    FakeSocket.all[0]?.says({ type: 'news', data: 1 })
    FakeSocket.all[0]?.ends(4400)
    expect([heard, socket.state]).toEqual([[], 'waiting'])
  })
})

describe('renewing', () => {
  it('does so when its time has come, or the server asks, one at a time', async () => {
    const { last, clock, asked } = setUp()
    await settled()
    last().accepts({ refreshAtMs: 5000 })
    clock.advance(5000)
    last().says({ type: 'auth.refresh', reason: 'expiring', deadlineMs: 1000 })
    last().says({ type: 'auth.refresh', reason: 'expiring', deadlineMs: 1000 })
    await settled()
    expect(asked.map(({ reason }) => reason)).toEqual(['connect', 'refresh'])
    expect(last().sent.at(-1)).toEqual({ type: 'auth', id: 'auth-1', token: 'token-2' })
    last().says({ type: 'auth.ok', id: 'auth-1', refreshAtMs: 5000 })
    clock.advance(5000)
    await settled()
    expect(last().sent.at(-1)).toMatchObject({ type: 'auth', id: 'auth-2', token: 'token-3' })
  })

  it('asks for another token when the new one is refused, no sooner than the server takes one', async () => {
    const { last, clock, asked } = setUp()
    await settled()
    last().accepts({ refreshAtMs: 0, pingMs: 3_600_000 })
    clock.advance(1)
    await settled()
    last().says({ type: 'error', id: 'auth-1', code: 'expired', retry: 'new_token' })
    clock.advance(10_999)
    expect(asked).toHaveLength(2)
    clock.advance(1)
    await settled()
    expect(asked.at(-1)).toMatchObject({ reason: 'rejected', token: 'token-2' })
  })

  it('belongs to its connection: a token that comes after its end is not sent anywhere', async () => {
    let give: (token: string) => void = () => {}
    let isFirst = true
    const { last, clock } = setUp({
      getToken: ({ signal }) => {
        if (isFirst) {
          isFirst = false
          return Promise.resolve('token-1')
        }
        return new Promise((resolve) => {
          if (signal.aborted) return
          give = resolve
        })
      },
    })
    await settled()
    last().accepts()
    last().says({ type: 'auth.refresh', reason: 'expiring', deadlineMs: 1000 })
    last().ends(1006)
    give('late')
    await settled()
    clock.advance(1000)
    for (const socket of FakeSocket.all) expect(JSON.stringify(socket.sent)).not.toContain('late')
  })

  it('leaves the connection alone when a token cannot be had, and tries again', async () => {
    let fails = false
    let asked = 0
    const { last, clock, socket } = setUp({
      getToken: async () => {
        asked += 1
        if (fails) throw new Error('offline')
        return 'token'
      },
    })
    await settled()
    last().accepts({ pingMs: 3_600_000 })
    fails = true
    last().says({ type: 'auth.refresh', reason: 'expiring', deadlineMs: 1000 })
    await settled()
    clock.advance(11_000)
    await settled()
    expect([asked, socket.state]).toEqual([3, 'ready'])
  })
})

describe('messages', () => {
  it('wait for a connection, in order, 100 of them and 256 KiB', async () => {
    const { socket, last } = setUp()
    const sent = Array.from({ length: 100 }, (_, index) => socket.send('a', index))
    await expect(socket.send('a', 100)).rejects.toMatchObject({ code: 'queue_full' })
    await settled()
    last().accepts()
    await Promise.all(sent)
    expect(
      last()
        .sent.slice(1)
        .map(({ data }) => data),
    ).toEqual(Array.from({ length: 100 }, (_, index) => index))
    const full = setUp()
    const big = full.socket.send('a', 'ä'.repeat(131_000))
    await expect(full.socket.send('a', 'x'.repeat(500))).rejects.toMatchObject({ code: 'queue_full' })
    await expect(full.socket.send('a', 'x'.repeat(262_144))).rejects.toMatchObject({ code: 'too_large' })
    full.socket.close()
    await expect(big).rejects.toMatchObject({ code: 'stopped' })
  })

  it('wait for their time only', async () => {
    const { socket, clock } = setUp({ getToken: () => new Promise(() => {}) })
    const short = socket.send('a', 1, { ttlMs: 1000 })
    const long = socket.send('a', 2)
    let isOver = false
    const late = long.catch(() => {
      isOver = true
    })
    clock.advance(1000)
    await expect(short).rejects.toMatchObject({ code: 'queue_expired' })
    expect(isOver).toBe(false)
    clock.advance(59_000)
    await late
    expect(isOver).toBe(true)
  })

  it('are not sent again, unless a request says that it may be', async () => {
    const { socket, clock, last } = await ready()
    await socket.send('once')
    const once = socket.request('pay')
    const again = socket.request('look', 1, { replay: 'idempotent' })
    await settled()
    last().ends(1006)
    await expect(once).rejects.toMatchObject({ code: 'connection_lost' })
    clock.advance(1000)
    await settled()
    last().accepts()
    expect(last().sent.slice(1)).toEqual([{ type: 'look', id: 'r2', data: 1 }])
    last().says({ type: 'seen', id: 'r2', data: 'yes' })
    expect(await again).toBe('yes')
  })

  it('of which an answer is waited for fail without one', async () => {
    const { socket, clock, last } = await ready()
    const request = socket.request('a', 1, { timeoutMs: 1000 })
    clock.advance(1000)
    await expect(request).rejects.toMatchObject({ code: 'no_answer' })
    last().says({ type: 'late', id: 'r1', data: 1 })
    const refused = socket.request('b')
    last().says({ type: 'error', id: 'r2', code: 'insufficient_scope', retry: 'never' })
    await expect(refused).rejects.toMatchObject({
      code: 'refused',
      refusal: { code: 'insufficient_scope', retry: 'never' },
    })
  })

  it('cannot have a type of the protocol', async () => {
    const { socket } = await ready()
    for (const type of ['auth', 'auth.ok', 'ping', 'error', '', 'x'.repeat(65)]) {
      await expect(socket.send(type)).rejects.toMatchObject({ code: 'unknown_type' })
    }
  })

  it('of the server that throw in a listener end neither the connection nor other listeners', async () => {
    const { socket, last, events } = await ready()
    const heard: unknown[] = []
    socket.on('news', () => {
      throw new Error('faulty')
    })
    const stop = socket.on('news', (data) => heard.push(data))
    last().says({ type: 'news', data: 1 })
    stop()
    last().says({ type: 'news', data: 2 })
    expect([heard, socket.state, events.filter(({ type }) => type === 'fault').length]).toEqual([[1], 'ready', 2])
  })
})

it('forgets token, queue, listeners and requests at logout', async () => {
  const { socket, clock, last, states } = await ready()
  const heard: unknown[] = []
  socket.on('news', (data) => heard.push(data))
  const request = socket.request('a')
  const connection = last()
  socket.logout()
  await expect(request).rejects.toMatchObject({ code: 'stopped' })
  connection.says({ type: 'news', data: 1 })
  expect([heard, connection.closedWith, states.at(-1)]).toEqual([[], 1000, 'stopped'])
  socket.reconnect()
  clock.advance(3_600_000)
  await settled()
  expect([FakeSocket.all.length, clock.timers]).toEqual([1, 0])
})
