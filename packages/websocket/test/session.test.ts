import type { Principal } from '@countersign/tokens'
import { describe, expect, it } from 'vitest'
import { coreToken, coreWorld, NOW, settled } from './core-world.ts'
import { makeToken } from './fixtures.ts'

const auth = (token = coreToken(), more = {}) => JSON.stringify({ type: 'auth', token, ...more })
const message = (type: string, more = {}) => JSON.stringify({ type, ...more })

describe('before authentication', () => {
  const refused: [why: string, frame: string, code: number][] = [
    ['is not JSON', '{', 4400],
    ['is an array', '[]', 4400],
    ['is null', 'null', 4400],
    ['is a string', '"auth"', 4400],
    ['has no type', '{}', 4400],
    ['has another type', message('chat.send'), 4400],
    ['is a ping', message('ping', { n: 1 }), 4400],
    ['has no token', message('auth'), 4400],
    ['has an empty token', auth(''), 4400],
    ['has a token that is a number', message('auth', { token: 1 }), 4400],
    ['has a token that is an object', message('auth', { token: { toString: 'x' } }), 4400],
    ['has a token of more than 4,096 characters', auth('x'.repeat(4097)), 4400],
    ['has the token twice', `{"type":"auth","token":"a","token":${JSON.stringify(coreToken())}}`, 4400],
    ['has its type twice, once in disguise', `{"type":"auth","t\\u0079pe":"auth","token":"a"}`, 4400],
    ['is nested deeper than 4', auth(coreToken(), { more: [[[[]]]] }), 4400],
    ['has an id of more than 64 characters', auth(coreToken(), { id: 'x'.repeat(65) }), 4400],
    ['has an id that is a number', auth(coreToken(), { id: 1 }), 4400],
    ['has an id in its prototype', `{"type":"auth","__proto__":{"token":${JSON.stringify(coreToken())}}}`, 4400],
    ['has a token that is none', auth('nonsense'), 4401],
    ['has a token of another issuer', auth(coreToken({ iss: 'https://other.example' })), 4401],
    ['has a token for another audience', auth(coreToken({ aud: 'billing' })), 4401],
    ['has a token that is not valid yet', auth(coreToken({ iat: NOW + 500, exp: NOW + 600 })), 4401],
    ['has a token that is bound to a key', auth(coreToken({ cnf: { jkt: 'A'.repeat(43) } } as object)), 4403],
    ['has a token that has expired', auth(coreToken({ iat: NOW - 700, exp: NOW - 100 })), 4430],
    ['has a token that ended within the tolerance', auth(coreToken({ iat: NOW - 600, exp: NOW - 2 })), 4430],
  ]

  it.each(refused)('closes when the first frame %s', async (_why, frame, code) => {
    const { open, core } = coreWorld()
    const { session, transport } = open()
    session.receiveText(frame)
    await settled()
    expect(transport.closeCode).toBe(code)
    expect(session.state).toBe('draining')
    expect(core.counts.pending).toBe(0)
    expect(transport.frames.length).toBe(1)
  })

  it('takes a frame nested 4 deep, with members that nobody knows, and a token of 4,096 characters', async () => {
    const { open } = coreWorld()
    const { session } = open()
    session.receiveText(auth(coreToken(), { more: [[[]]], id: 'x'.repeat(64) }))
    await settled()
    expect(session.state).toBe('ready')
    const other = open()
    other.session.receiveText(auth('x'.repeat(4096)))
    await settled()
    expect(other.transport.closeCode).toBe(4401)
  })

  it('closes at bytes, whatever they are', () => {
    const { session, transport } = coreWorld().open()
    session.receiveBinary(new Uint8Array())
    expect(transport.closeCode).toBe(4400)
  })

  it('answers no ping, and counts nothing as an answer', () => {
    const { open, clock } = coreWorld()
    const { session, transport } = open()
    for (let ms = 0; ms < 4900; ms += 100) {
      clock.advance(100)
      session.receivePing(new Uint8Array(4))
      session.receivePong()
    }
    expect(transport.pongs).toBe(0)
    clock.advance(100)
    expect(transport.closeCode).toBe(4460)
  })

  it.each([
    ['another authentication', auth(), 4429],
    ['anything else', message('hello'), 4400],
    ['nonsense', '{', 4400],
  ])('closes at %s while it verifies', async (_what, frame, code) => {
    const { open, core } = coreWorld()
    const { session, transport } = open()
    session.receiveText(auth())
    session.receiveText(frame)
    expect(transport.closeCode).toBe(code)
    await settled()
    expect(session.state).toBe('draining')
    expect(core.counts).toEqual({ pending: 0, sockets: 1 })
  })

  it('gives verification 2 s, within the 5 s that everything has', async () => {
    const guard = { ...coreWorld().core.options.guard, admit: () => new Promise<never>(() => {}) }
    const { open, clock, events } = coreWorld({ guard })
    const early = open()
    early.session.receiveText(auth())
    clock.advance(1999)
    expect(early.transport.closeCode).toBeUndefined()
    clock.advance(1)
    expect(early.transport.closeCode).toBe(4465)
    expect(events).toContainEqual(expect.objectContaining({ type: 'auth', result: 'error', reason: 'verify_timeout' }))
    const late = open()
    clock.advance(4000)
    late.session.receiveText(auth())
    clock.advance(999)
    expect(late.transport.closeCode).toBeUndefined()
    clock.advance(1)
    expect(late.transport.closeCode).toBe(4460)
  })

  it('does nothing with a decision that comes too late', async () => {
    let decide: (decision: object) => void = () => {}
    const { guard } = coreWorld().core.options
    const { open, clock } = coreWorld({
      guard: {
        ...guard,
        admit: () =>
          new Promise((resolve) => {
            decide = resolve as typeof decide
          }),
      },
    })
    const { session, transport } = open()
    session.receiveText(auth())
    clock.advance(2000)
    decide({ admitted: true, principal: {} })
    await settled()
    expect(session.state).toBe('draining')
    expect(transport.frames).toHaveLength(1)
  })

  it('calls a fault of ours unavailable, never a bad token', async () => {
    const { guard } = coreWorld().core.options
    const { open, events } = coreWorld({ guard: { ...guard, admit: () => Promise.reject(new Error('disk')) } })
    const { session, transport } = open()
    session.receiveText(auth())
    await settled()
    expect(transport.closeCode).toBe(4465)
    expect(events).toContainEqual(expect.objectContaining({ type: 'auth', result: 'error', reason: 'fault' }))
  })

  it('asks for the scopes that every connection needs', async () => {
    const { open } = coreWorld({ scopes: ['agents:read'] })
    const { session, transport } = open()
    session.receiveText(auth(coreToken({ scope: 'chat:write' })))
    await settled()
    expect(transport.closeCode).toBe(4403)
  })

  it('lets the oldest go when there are 1,000, and takes the new one', async () => {
    const { open, core, events } = coreWorld()
    const opened = Array.from({ length: 1000 }, (_, index) => open('wsauth.v1', `192.0.2.${index}`))
    opened[0]?.session.receiveText(auth())
    await settled()
    expect(opened[0]?.session.state).toBe('ready')
    open()
    expect(opened.some(({ transport }) => transport.isDestroyed)).toBe(false)
    const { session } = open()
    expect(opened.filter(({ transport }) => transport.isDestroyed)).toEqual([opened[1]])
    expect(events.filter(({ type }) => type === 'evicted')).toHaveLength(1)
    session.receiveText(auth())
    await settled()
    expect(session.state).toBe('ready')
    expect(core.counts.pending).toBe(999)
  })

  it('counts 20 unauthenticated sockets of one address, and each only until it is authenticated', async () => {
    const { open, core } = coreWorld()
    const opened = Array.from({ length: 20 }, () => open())
    expect(core.placeFor('192.0.2.1')).toBeUndefined()
    expect(core.placeFor('192.0.2.2')).toBe('192.0.2.2')
    opened[0]?.session.receiveText(auth())
    await settled()
    expect(core.placeFor('192.0.2.1')).toBe('192.0.2.1')
  })

  it('closes with 4406 for a subprotocol that nobody speaks, and for none where that is off', () => {
    const { open } = coreWorld({ plain: false })
    expect(open('graphql-transport-ws').transport.closeCode).toBe(4406)
    expect(open('').transport.closeCode).toBe(4406)
  })
})

describe('ready', () => {
  it('gives messages to their handlers, each with the scopes that its type needs', async () => {
    const { core, ready } = coreWorld()
    const got: unknown[] = []
    core.handlers.set('chat.send', ({ data, principal, type }) => void got.push([type, data, principal.subject]))
    const { session, transport } = await ready()
    session.receiveText(message('chat.send', { data: { a: [1] } }))
    expect(got).toEqual([['chat.send', { a: [1] }, 'ada']])
    const other = await ready({ scope: 'agents:read' })
    other.session.receiveText(message('chat.send'))
    expect(got).toHaveLength(1)
    expect(other.transport.take()).toEqual([{ type: 'error', code: 'insufficient_scope', retry: 'never' }])
    expect(transport.closeCode).toBeUndefined()
  })

  it('tells a monitor that it is not let in for side effects, and not to come again later', async () => {
    const { core, ready } = coreWorld()
    core.handlers.set('chat.send', () => undefined)
    const { session, transport } = await ready({ synthetic: true })
    session.receiveText(message('chat.send'))
    expect(transport.take()).toEqual([{ type: 'error', code: 'insufficient_scope', retry: 'never' }])
    expect(transport.closeCode).toBeUndefined()
  })

  it.each([
    ['is not JSON', 'x'],
    ['is no object', '1'],
    ['has no type', '{"data":1}'],
    ['says what only the server says', message('auth.ok')],
    ['pings without a number', message('ping')],
    ['is nested deeper than 32', message('hello', { data: JSON.parse('['.repeat(32) + ']'.repeat(32)) })],
    ['has a member twice', '{"type":"hello","type":"hello"}'],
  ])('closes when a frame %s', async (_why, frame) => {
    const { session, transport } = await coreWorld().ready()
    session.receiveText(frame)
    expect(transport.closeCode).toBe(4400)
  })

  it('takes thousands of members that nobody knows as quickly as others, and finds the one that came twice', async () => {
    const { core, ready } = coreWorld()
    let got = 0
    core.handlers.set('hello', () => {
      got += 1
    })
    const { session, transport } = await ready()
    const many = Array.from({ length: 8000 }, (_, index) => `"k${index}":1`).join(',')
    for (let index = 0; index < 20; index += 1) session.receiveText(`{"type":"hello",${many}}`)
    expect([got, transport.closeCode]).toEqual([20, undefined])
    session.receiveText(`{"type":"hello",${many},"k7":1}`)
    expect([got, transport.closeCode]).toEqual([20, 4400])
  })

  it('closes a peer that pings and never reads', async () => {
    const { session, transport } = await coreWorld().ready()
    transport.unsent = 5_000_000
    session.receivePing(new Uint8Array(100))
    expect(transport.closeCode).toBe(4462)
  })

  it('closes at bytes where types are declared', async () => {
    const { session, transport } = await coreWorld().ready()
    session.receiveBinary(new Uint8Array([1]))
    expect(transport.closeCode).toBe(4400)
  })

  it('answers pings of both kinds', async () => {
    const { session, transport } = await coreWorld().ready()
    session.receiveText(message('ping', { n: 7 }))
    session.receivePing(new Uint8Array(1))
    expect(transport.take()).toEqual([{ type: 'pong', n: 7 }])
    expect(transport.pongs).toBe(1)
  })

  it('takes 100 messages at once and 50 a second, pings among them', async () => {
    const { ready, clock, core } = coreWorld()
    let got = 0
    core.handlers.set('hello', () => {
      got += 1
    })
    const { session, transport } = await ready()
    for (let index = 0; index < 50; index += 1) {
      session.receiveText(message('hello'))
      session.receivePing(new Uint8Array())
    }
    for (let second = 0; second < 3; second += 1) {
      clock.advance(1000)
      for (let index = 0; index < 50; index += 1) session.receiveText(message('hello'))
    }
    expect([got, transport.closeCode]).toEqual([200, undefined])
    session.receiveText(message('hello'))
    expect([got, transport.closeCode]).toEqual([200, 4461])
  })

  it('regains messages by fractions of a second too', async () => {
    const { ready, clock, core } = coreWorld({ limits: { messagesPerSecond: 50, burst: 1 } })
    let got = 0
    core.handlers.set('hello', () => {
      got += 1
    })
    const { session, transport } = await ready()
    for (let index = 0; index < 200; index += 1) {
      session.receiveText(message('hello'))
      clock.advance(index % 2 === 0 ? 20 : 21)
    }
    expect([got, transport.closeCode]).toEqual([200, undefined])
  })

  it('keeps 32 messages in hand, then stops reading, and loses none that came already', async () => {
    const { core, ready } = coreWorld()
    const finish: (() => void)[] = []
    core.handlers.set('hello', () => new Promise<void>((resolve) => finish.push(resolve)))
    const { session, transport } = await ready()
    for (let index = 0; index < 31; index += 1) session.receiveText(message('hello'))
    expect(transport.isPaused).toBe(false)
    for (let index = 0; index < 9; index += 1) session.receiveText(message('hello'))
    expect([finish.length, transport.isPaused]).toEqual([32, true])
    for (let index = 0; index < 8; index += 1) finish[index]?.()
    await settled()
    expect([finish.length, transport.isPaused]).toEqual([40, true])
    finish[8]?.()
    await settled()
    expect(transport.isPaused).toBe(false)
  })

  it('asks no pong while it does not read', async () => {
    const { core, ready, clock } = coreWorld({ limits: { inFlight: 1 } })
    core.handlers.set('hello', () => new Promise<void>(() => {}))
    const { session, transport } = await ready()
    session.receiveText(message('hello'))
    clock.advance(100_000)
    expect(transport.closeCode).toBeUndefined()
  })

  it('pings every 25 s, and closes when nothing comes within 10 s', async () => {
    const { ready, clock } = coreWorld()
    const { session, transport } = await ready()
    clock.advance(24_999)
    expect(transport.take()).toEqual([])
    clock.advance(1)
    expect(transport.take()).toEqual([{ type: 'ping', n: 1 }])
    clock.advance(9000)
    session.receiveText(message('pong', { n: 1 }))
    clock.advance(16_000)
    expect(transport.take()).toEqual([{ type: 'ping', n: 2 }])
    clock.advance(9999)
    expect(transport.closeCode).toBeUndefined()
    clock.advance(1)
    expect(transport.closeCode).toBe(4463)
  })

  it("pings by WebSocket's own frames in the plain form", async () => {
    const { ready, clock } = coreWorld()
    const { session, transport } = await ready({}, '')
    clock.advance(25_000)
    expect([transport.frames.length, transport.pings.length]).toEqual([0, 1])
    session.receivePong()
    clock.advance(10_000)
    expect(transport.closeCode).toBeUndefined()
  })

  it('closes a consumer with 1 MiB unsent for 5 s, or 4 MiB at once', async () => {
    const { ready, clock } = coreWorld()
    const slow = await ready()
    slow.transport.unsent = 1_048_577
    expect(slow.session.connection.send('a')).toBe(true)
    clock.advance(4999)
    expect(slow.transport.closeCode).toBeUndefined()
    clock.advance(1)
    expect(slow.transport.closeCode).toBe(4462)
    const slower = await ready()
    slower.transport.unsent = 4_194_304
    expect(slower.session.connection.send('a')).toBe(true)
    slower.transport.unsent += 1
    expect(slower.session.connection.send('a')).toBe(false)
    expect(slower.transport.closeCode).toBe(4462)
    const caughtUp = await ready()
    caughtUp.transport.unsent = 2_000_000
    caughtUp.session.connection.send('a')
    caughtUp.transport.unsent = 0
    clock.advance(5000)
    expect(caughtUp.transport.closeCode).toBeUndefined()
  })

  it('takes 10 sockets of one subject, and others of others', async () => {
    const { ready } = coreWorld()
    const ten = await Promise.all(Array.from({ length: 10 }, () => ready()))
    await expect(ready()).rejects.toThrow('closed with 4464')
    await ready({ sub: 'grace' })
    ten[0]?.session.closed(1000)
    await ready()
  })

  it('answers a handler that throws, or rejects, without telling why', async () => {
    const { core, ready, events } = coreWorld()
    core.handlers.set('hello', () => {
      throw new Error('secret')
    })
    core.handlers.set('feed.read', async () => {
      throw new Error('secret')
    })
    const { session, transport } = await ready()
    session.receiveText(message('hello', { id: 'a' }))
    session.receiveText(message('feed.read', { id: 'b' }))
    await settled()
    expect(transport.take()).toEqual([
      { type: 'error', id: 'a', code: 'internal', retry: 'backoff' },
      { type: 'error', id: 'b', code: 'internal', retry: 'backoff' },
    ])
    expect(events.filter(({ type }) => type === 'fault')).toHaveLength(2)
  })
})

describe('the end', () => {
  it('comes at exp, to the millisecond', async () => {
    const { ready, clock } = coreWorld({ refresh: () => false })
    const { session, transport } = await ready()
    for (let ms = 0; ms < 599_000; ms += 5000) {
      clock.advance(Math.min(5000, 599_000 - ms))
      session.receiveText(message('pong', { n: 1 }))
    }
    clock.advance(999)
    expect(transport.closeCode).toBeUndefined()
    clock.advance(1)
    expect(transport.closeCode).toBe(4430)
    clock.advance(249)
    expect(transport.isDestroyed).toBe(false)
    clock.advance(1)
    expect(transport.isDestroyed).toBe(true)
  })

  it('comes at the first frame in or out, when the machine slept over exp', async () => {
    for (const act of ['in', 'out'] as const) {
      const { ready, clock, core } = coreWorld()
      let got = 0
      core.handlers.set('hello', () => {
        got += 1
      })
      const { session, transport } = await ready()
      clock.skip(601_000)
      if (act === 'in') session.receiveText(message('hello'))
      else expect(session.connection.send('news')).toBe(false)
      expect([got, transport.frames.length, session.state]).toEqual([0, 0, 'draining'])
      await settled()
      expect(transport.closeCode).toBe(4430)
    }
  })

  it.each(['in', 'out'])('comes at the first frame %s, when the clock was set over exp', async (way) => {
    const { ready, clock } = coreWorld()
    const { session, transport } = await ready()
    clock.set(601_000)
    if (way === 'in') session.receiveText(message('hello'))
    else expect(session.connection.send('news')).toBe(false)
    expect(session.state).toBe('draining')
    await settled()
    expect(transport.closeCode).toBe(4430)
  })

  it('comes within 30 s, when the clock was set over exp and nobody says anything', async () => {
    const { ready, clock } = coreWorld({ limits: { pingMs: 3_600_000 } })
    const { transport } = await ready()
    clock.set(601_000)
    clock.advance(30_000)
    expect(transport.closeCode).toBe(4430)
  })

  it('comes no later when the clock was set back', async () => {
    const { ready, clock } = coreWorld({ limits: { pingMs: 3_600_000 } })
    const { session, transport } = await ready()
    clock.set(-3_600_000)
    clock.advance(599_999)
    session.receiveText(message('hello'))
    expect(transport.closeCode).toBeUndefined()
    clock.advance(1)
    expect(transport.closeCode).toBe(4430)
  })

  it('comes at once with a revocation: nothing goes in or out in the same turn', async () => {
    const { ready, core, revocations, events, clock } = coreWorld()
    let got = 0
    core.handlers.set('hello', () => {
      got += 1
    })
    const { session, transport } = await ready()
    revocations.revoke(({ subject }) => subject === 'ada')
    expect(transport.closeCode).toBe(4431)
    session.receiveText(message('hello'))
    session.receiveBinary(new Uint8Array(1))
    session.receiveText(auth())
    expect([
      session.connection.send('news'),
      session.connection.sendFrame('news'),
      session.connection.permits(),
    ]).toEqual([false, false, false])
    expect([got, transport.frames.length]).toEqual([0, 0])
    clock.advance(250)
    expect(transport.isDestroyed).toBe(true)
    session.closed(1006)
    expect(events).toContainEqual({ type: 'dropped', sid: session.sid, cause: 'revoked', frames: 3 })
    expect(events.at(-1)).toEqual({ type: 'closed', sid: session.sid, code: 4431, by: 'server' })
    expect(core.counts).toEqual({ pending: 0, sockets: 0 })
  })

  it('comes for one that is revoked while it connects, at whatever moment', async () => {
    for (let turn = 0; turn < 12; turn += 1) {
      const { open, core, revocations } = coreWorld()
      let got = 0
      core.handlers.set('hello', () => {
        got += 1
      })
      const { session, transport } = open()
      session.receiveText(auth())
      for (let micro = 0; micro < turn; micro += 1) await (micro % 3 === 2 ? new Promise((r) => setImmediate(r)) : null)
      revocations.revoke(() => true)
      const framesThen = transport.frames.length
      const wasReady = session.state === 'ready'
      session.receiveText(message('hello'))
      await settled()
      session.receiveText(message('hello'))
      expect([got, session.state]).toEqual([0, 'draining'])
      expect([4400, 4431]).toContain(transport.closeCode)
      if (wasReady) expect(transport.closeCode).toBe(4431)
      // Not even auth.ok is sent once it is revoked.
      expect(transport.frames.length).toBe(framesThen)
    }
  })

  it('comes before the beginning for a token that ended within the clock tolerance: nobody hears of it', async () => {
    const { open, core } = coreWorld()
    let began = 0
    core.onConnection.push(() => {
      began += 1
    })
    const { session, transport } = open()
    session.receiveText(auth(coreToken({ iat: NOW - 600, exp: NOW - 2 })))
    await settled()
    expect([began, transport.frames.length, transport.closeCode]).toEqual([0, 1, 4430])
  })

  it('comes after 24 h however often it authenticates, and later where the limit says so', async () => {
    const { ready, clock } = coreWorld()
    const { session, transport } = await ready({ exp: NOW + 100_000, iat: NOW } as object)
    for (let ms = 0; ms < 86_400_000; ms += 5000) {
      if (transport.closeCode !== undefined) throw new Error(`closed at ${ms}`)
      session.receivePong()
      clock.advance(5000)
    }
    expect(transport.closeCode).toBe(4433)
    const endless = coreWorld({ limits: { sessionSeconds: Number.POSITIVE_INFINITY, pingMs: 3_600_000 } })
    const other = await endless.ready({ exp: NOW + 650_000 })
    for (let hours = 0; hours < 150; hours += 1) {
      other.session.receivePong()
      endless.clock.advance(3_600_000)
      other.session.receivePong()
    }
    expect(other.transport.closeCode).toBeUndefined()
  })

  it.each(['authenticated', 'authenticated again', 'ended'])(
    'comes, and is no fault that ends the process, when the guard is closed while a connection is %s',
    async (what) => {
      const { open, ready, clock, core, events } = coreWorld()
      const { session, transport } = what === 'authenticated' ? open() : await ready()
      if (what === 'ended') clock.set(601_000)
      else {
        if (what === 'authenticated again') clock.advance(10_000)
        transport.take()
        session.receiveText(auth(coreToken({ exp: NOW + 900 })))
      }
      await core.options.guard.close()
      if (what === 'ended') session.receiveText(message('hello'))
      await settled()
      expect([transport.closeCode, transport.take()]).toEqual([4465, []])
      expect(events).toContainEqual(expect.objectContaining({ type: 'fault' }))
    },
  )

  it('frees everything, whoever ends it', async () => {
    const { ready, core, clock } = coreWorld()
    const ended: number[] = []
    core.onConnection.push((connection) => connection.onClose((code) => ended.push(code)))
    const byPeer = await ready()
    byPeer.session.peerIsClosing()
    byPeer.session.closed(1000)
    byPeer.session.closed(1000)
    const byUs = await ready()
    byUs.session.connection.close(4000, 'done')
    byUs.session.closed(1006)
    expect(ended).toEqual([1000, 4000])
    expect(core.counts).toEqual({ pending: 0, sockets: 0 })
    expect(core.schedule.size).toBe(0)
    clock.advance(3_600_000)
    expect(clock.timers).toBe(0)
  })

  it('cannot be given a code that means something else', async () => {
    const { session } = await coreWorld().ready()
    for (const code of [999, 1001, 1006, 3000, 5000, 4000.5]) {
      expect(() => session.connection.close(code)).toThrow(expect.objectContaining({ code: 'bad_option' }))
    }
  })
})

describe('authenticating again', () => {
  const later = (claims = {}): string => coreToken({ iat: NOW, exp: NOW + 1200, ...claims })

  it('replaces the scopes at once, and keeps messages in hand under the authority they came with', async () => {
    const { ready, core, clock } = coreWorld()
    const seen: Principal[] = []
    let finish = () => {}
    core.handlers.set('chat.send', async ({ principal, reply }) => {
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      seen.push(principal)
      reply({ type: 'done' })
    })
    const { session, transport } = await ready()
    session.receiveText(message('chat.send', { id: '1' }))
    clock.advance(10_000)
    session.receiveText(auth(later({ scope: 'agents:read' }), { id: 'again' }))
    await settled()
    expect(transport.take()).toMatchObject([{ type: 'auth.ok', id: 'again', exp: NOW + 1200, scopes: ['agents:read'] }])
    session.receiveText(message('chat.send', { id: '2' }))
    expect(transport.take()).toEqual([{ type: 'error', id: '2', code: 'insufficient_scope', retry: 'never' }])
    finish()
    await settled()
    expect(transport.take()).toEqual([{ type: 'done', id: '1' }])
    expect([...(seen[0]?.scopes ?? [])]).toEqual(['agents:read', 'chat:write'])
  })

  it('moves the end to the new exp', async () => {
    const { ready, clock } = coreWorld({ limits: { pingMs: 3_600_000 } })
    const { session, transport } = await ready()
    clock.advance(10_000)
    session.receiveText(auth(later()))
    await settled()
    clock.advance(1_189_999)
    expect(transport.closeCode).toBeUndefined()
    clock.advance(1)
    expect(transport.closeCode).toBe(4430)
  })

  it.each([
    ['another subject', { sub: 'eve' }],
    ['another organisation', { org_id: 'org_2' }],
    ['an actor', { act: { sub: 'agent' } }],
  ])('closes when the new token speaks for %s', async (_who, claims) => {
    const { ready, clock, events } = coreWorld()
    const { session, transport } = await ready()
    clock.advance(10_000)
    session.receiveText(auth(later(claims)))
    await settled()
    expect(transport.closeCode).toBe(4409)
    expect(events).toContainEqual(expect.objectContaining({ type: 'reauth', reason: 'identity_mismatch' }))
  })

  it.each([
    ['nonsense', () => 'nonsense', 'invalid_token'],
    ['an expired token', () => coreToken({ iat: NOW - 700, exp: NOW - 100 }), 'expired'],
    ['the same exp', () => coreToken({ iat: NOW, exp: NOW + 600 }), 'not_later'],
  ])('keeps the session until its own end after %s', async (_what, token, code) => {
    const { ready, clock } = coreWorld({ limits: { pingMs: 3_600_000 } })
    const { session, transport } = await ready()
    clock.advance(10_000)
    session.receiveText(auth(token(), { id: 'x' }))
    await settled()
    expect(transport.take()).toEqual([{ type: 'error', id: 'x', code, retry: 'new_token' }])
    expect(session.state).toBe('ready')
    clock.advance(590_000)
    expect(transport.closeCode).toBe(4430)
  })

  it('is taken once in 10 s, and one at a time', async () => {
    const { ready, clock } = coreWorld()
    const { session, transport } = await ready()
    clock.advance(9000)
    session.receiveText(auth(later(), { id: 'x' }))
    expect(transport.take()).toEqual([
      { type: 'error', id: 'x', code: 'too_soon', retry: 'backoff', retryAfterMs: 1000 },
    ])
    clock.advance(1000)
    session.receiveText(auth(later()))
    session.receiveText(auth(later()))
    expect(transport.closeCode).toBe(4429)
  })

  it('stops what goes on without its scopes, and only that', async () => {
    const { ready, clock } = coreWorld()
    const { session } = await ready()
    const stopped: string[] = []
    session.connection.whilePermitted(['chat:write'], () => stopped.push('chat'))
    session.connection.whilePermitted(['agents:read'], () => stopped.push('feed'))
    const done = session.connection.whilePermitted(['chat:write'], () => stopped.push('done'))
    done()
    clock.advance(10_000)
    session.receiveText(auth(later({ scope: 'agents:read' })))
    await settled()
    expect(stopped).toEqual(['chat'])
    session.connection.whilePermitted(['chat:write'], () => stopped.push('never'))
    await settled()
    expect(stopped).toEqual(['chat', 'never'])
    session.connection.close()
    expect(stopped).toEqual(['chat', 'never', 'feed'])
  })

  it('is asked for 20 % of its life before the end, at least 60 s, and not where tokens cannot be renewed', async () => {
    const { ready, clock } = coreWorld({ limits: { pingMs: 3_600_000 } })
    const { transport } = await ready()
    clock.advance(479_999)
    expect(transport.take()).toEqual([])
    clock.advance(1)
    expect(transport.take()).toEqual([{ type: 'auth.refresh', reason: 'expiring', deadlineMs: 120_000 }])
    const never = coreWorld({ refresh: () => false, limits: { pingMs: 3_600_000 } })
    const other = await never.ready()
    never.clock.advance(599_999)
    expect(other.transport.take()).toEqual([])
  })

  it('does not end the connection when the verifier is slow or at fault', async () => {
    const { guard } = coreWorld().core.options
    let isSlow = false
    const world = coreWorld({
      guard: { ...guard, admit: (request) => (isSlow ? new Promise<never>(() => {}) : guard.admit(request)) },
    })
    const { session, transport } = await world.ready()
    isSlow = true
    world.clock.advance(10_000)
    session.receiveText(auth(later(), { id: 'x' }))
    world.clock.advance(2000)
    expect(transport.take()).toEqual([
      { type: 'error', id: 'x', code: 'unavailable', retry: 'backoff', retryAfterMs: 5000 },
    ])
    expect(session.state).toBe('ready')
  })

  it('takes no decision that comes after its time', async () => {
    const { guard } = coreWorld().core.options
    const decide: (() => void)[] = []
    let isSlow = false
    const world = coreWorld({
      guard: {
        ...guard,
        admit: async (request) => {
          if (isSlow) await new Promise<void>((resolve) => decide.push(resolve))
          return guard.admit(request)
        },
      },
    })
    const { session, transport } = await world.ready()
    const before = session.principal
    isSlow = true
    world.clock.advance(10_000)
    session.receiveText(auth(later(), { id: 'x' }))
    world.clock.advance(2000)
    transport.take()
    decide[0]?.()
    await settled()
    expect([session.principal === before, transport.take()]).toEqual([true, []])
  })

  it('cannot make a revoked token live again, nor escape by a new one of the same session', async () => {
    const { ready, clock, revocations } = coreWorld()
    const { session, transport } = await ready()
    clock.advance(10_000)
    session.receiveText(auth(later()))
    revocations.revoke(({ subject }) => subject === 'ada')
    await settled()
    expect(transport.closeCode).toBe(4431)
    expect(transport.take()).toEqual([])
  })
})

describe('raw frames', () => {
  const envelopes = new Map([['other.v1', { readToken: (frame: string) => /^hello (.*)$/.exec(frame)?.[1] }]])

  it("reads the token of somebody else's first message, and hands that on", async () => {
    const { open, core } = coreWorld({ envelopes, messages: undefined })
    const got: unknown[] = []
    core.onConnection.push((connection) => {
      connection.onFrame((frame) => got.push(frame))
      connection.sendFrame('welcome')
    })
    const { session, transport } = open('other.v1')
    expect(transport.frames).toEqual([])
    const first = `hello ${coreToken()}`
    session.receiveText(first)
    await settled()
    session.receiveText('{"type":"auth"}')
    session.receiveBinary(new Uint8Array([1, 2]))
    expect(got).toEqual([first, '{"type":"auth"}', new Uint8Array([1, 2])])
    expect(session.extras?.firstFrame).toBeUndefined()
    expect(transport.frames).toEqual(['welcome'])
  })

  it.each([
    ['has none', () => undefined],
    [
      'throws',
      () => {
        throw new Error('unreadable')
      },
    ],
    ['answers with no string', () => 1 as unknown as string],
    ['answers with nothing', () => ''],
  ])('closes when the reader %s', async (_why, readToken) => {
    const { open } = coreWorld({ envelopes: new Map([['other.v1', { readToken }]]) })
    const { session, transport } = open('other.v1')
    session.receiveText('x')
    await settled()
    expect(transport.closeCode).toBe(4400)
  })

  it('takes another token that the application read from its own envelope', async () => {
    const { open, clock } = coreWorld({ envelopes })
    const { session, transport } = open('other.v1')
    session.receiveText(`hello ${coreToken()}`)
    await settled()
    const exp = NOW + 1200
    expect(await session.connection.reauthenticate(coreToken({ exp }))).toBe(false)
    clock.advance(10_000)
    expect(await session.connection.reauthenticate('nonsense')).toBe(false)
    expect(await session.connection.reauthenticate(coreToken({ exp }))).toBe(true)
    expect(session.principal?.expiresAt).toBe(exp)
    expect(transport.frames).toEqual([])
  })

  it('go to the application where no types are declared, but for those of the protocol', async () => {
    const { ready, core } = coreWorld({ messages: undefined })
    const got: unknown[] = []
    core.onConnection.push((connection) => connection.onFrame((frame) => got.push(frame)))
    const { session, transport } = await ready()
    session.receiveText('not JSON at all')
    session.receiveText(message('ping', { n: 1 }))
    session.receiveText(message('mine'))
    expect(got).toEqual(['not JSON at all', message('mine')])
    expect(transport.take()).toEqual([{ type: 'pong', n: 1 }])
  })
})

describe('leaving', () => {
  it('lets messages in hand be answered, takes no more, and says when to come back', async () => {
    const { ready, core, clock } = coreWorld()
    let finish = () => {}
    core.handlers.set('hello', async ({ reply }) => {
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      reply({ type: 'bye' })
    })
    const busy = await ready()
    const idle = await ready()
    busy.session.receiveText(message('hello', { id: '1' }))
    const closed = core.close(5000, 10_000)
    expect([busy.transport.closeCode, idle.transport.closeCode]).toEqual([undefined, 1001])
    expect(idle.transport.take()).toEqual([{ type: 'error', code: 'going_away', retry: 'backoff', retryAfterMs: 5000 }])
    busy.session.receiveText(message('hello', { id: '2' }))
    finish()
    await settled()
    expect(busy.transport.take().at(-1)).toEqual({ type: 'bye', id: '1' })
    expect(busy.transport.closeCode).toBe(1001)
    clock.advance(250)
    for (const { session, transport } of [busy, idle]) {
      expect(transport.isDestroyed).toBe(true)
      session.closed(1006)
    }
    await closed
  })

  it('ends for whoever asks twice', async () => {
    const { ready, core } = coreWorld()
    const { session } = await ready()
    const both = Promise.all([core.close(0, 0), core.close(0, 0)])
    session.closed(1001)
    await both
  })

  it('waits for the grace time only', async () => {
    const { ready, core, clock } = coreWorld()
    core.handlers.set('hello', () => new Promise<void>(() => {}))
    const { session, transport } = await ready()
    session.receiveText(message('hello'))
    void core.close(5000, 0)
    clock.advance(4999)
    expect(transport.closeCode).toBeUndefined()
    clock.advance(1)
    expect(transport.closeCode).toBe(1001)
  })
})

it('reports no token, no claim and nothing that a client sent', async () => {
  const { open, events, ready, clock } = coreWorld()
  const token = makeToken()
  open().session.receiveText(auth(token, { id: 'canary-id' }))
  const { session } = await ready({ sub: 'canary-subject' })
  session.receiveText(message('canary-type', { data: 'canary-data' }))
  session.receiveText('canary-frame')
  clock.advance(1000)
  session.closed(4321)
  const said = JSON.stringify(events)
  expect(said).not.toMatch(/canary/)
  expect(said).not.toContain(token)
})
