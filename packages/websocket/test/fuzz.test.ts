import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { coreToken, coreWorld, settled } from './core-world.ts'
import { connected, makeToken, serve } from './fixtures.ts'
import { frame, tcpClient } from './tcp-client.ts'

const faults: unknown[] = []
const onFault = (fault: unknown): void => {
  faults.push(fault)
}
beforeAll(() => {
  process.on('uncaughtException', onFault).on('unhandledRejection', onFault)
})
afterAll(() => {
  process.off('uncaughtException', onFault).off('unhandledRejection', onFault)
  expect(faults).toEqual([])
})

const names = fc.constantFrom(
  ...[
    'auth',
    'auth.ok',
    'auth.required',
    'error',
    'ping',
    'pong',
    'hello',
    'chat.send',
    '__proto__',
    'constructor',
    '',
  ],
)
const hostileText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.json({ maxDepth: 3 }),
  fc
    .record({ type: names, id: fc.oneof(fc.string(), fc.integer(), fc.constant('x'.repeat(5000))) })
    .map((it) => JSON.stringify(it)),
  fc.record({ type: names, token: fc.jsonValue(), data: fc.jsonValue() }).map((it) => JSON.stringify(it)),
  fc.integer({ min: 1, max: 3000 }).map((depth) => `{"type":"hello","data":${'['.repeat(depth)}${']'.repeat(depth)}}`),
  fc.tuple(names, names).map(([one, two]) => `{"type":"${one}","type":"${two}","token":"x"}`),
  fc
    .tuple(names, fc.jsonValue())
    .map(([type, value]) => `{"type":"${type}","__proto__":${JSON.stringify(value)},"n":1}`),
  names.map((type) => `{"t\\u0079pe":"${type}","token":"x","n":1e999}`),
)

describe('frames of any kind', () => {
  it('reach no handler before the connection is ready, and are never the end of the process', async () => {
    const pollution = Object.keys(Object.prototype)
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(hostileText, fc.uint8Array({ maxLength: 50 })), { maxLength: 6 }),
        async (frames) => {
          const { open, core } = coreWorld()
          let called = 0
          for (const type of ['hello', 'chat.send', 'feed.read']) core.handlers.set(type, () => void called++)
          const { session, transport } = open()
          for (const each of frames) {
            if (typeof each === 'string') session.receiveText(each)
            else session.receiveBinary(each)
          }
          await settled()
          expect(called).toBe(0)
          expect(session.connection.isOpen).toBe(false)
          if (frames.length > 0) expect(transport.closeCode).toBeGreaterThanOrEqual(4400)
          // Nothing is sent to anybody who is not authenticated but the first frame.
          expect(transport.frames).toHaveLength(1)
        },
      ),
      { numRuns: 300 },
    )
    expect(Object.keys(Object.prototype)).toEqual(pollution)
  })

  it('reach only the handlers of their type once it is ready, and close or are answered otherwise', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(hostileText, { maxLength: 6 }), async (frames) => {
        const { ready, core } = coreWorld()
        const called: string[] = []
        core.handlers.set('hello', ({ type }) => void called.push(type))
        const { session, transport } = await ready()
        for (const each of frames) session.receiveText(each)
        await settled()
        expect(called.every((type) => type === 'hello')).toBe(true)
        for (const answer of transport.take()) expect(['error', 'pong']).toContain(answer.type)
        expect(session.connection.isOpen).toBe(transport.closeCode === undefined)
      }),
      { numRuns: 200 },
    )
  })

  it('are all right in any order around a valid token: it opens only as the whole first frame', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(hostileText, { maxLength: 3 }), async (before) => {
        const { open } = coreWorld()
        const { session } = open()
        for (const each of before) session.receiveText(each)
        session.receiveText(JSON.stringify({ type: 'auth', token: coreToken() }))
        await settled()
        expect(session.connection.isOpen).toBe(before.length === 0)
      }),
      { numRuns: 100 },
    )
  })
})

const rawFrame = fc
  .record(
    {
      payload: fc.oneof(
        hostileText.map((text) => Buffer.from(text)),
        fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      ),
      opcode: fc.integer({ min: 0, max: 15 }),
      fin: fc.boolean(),
      isMasked: fc.boolean(),
      rsv: fc.constantFrom(0, 0, 0, 1, 4, 7),
      length: fc.option(fc.constantFrom(0, 1, 125, 126, 8000, 65_535, 65_536, 2 ** 40), { nil: undefined, freq: 6 }),
    },
    { requiredKeys: ['payload', 'opcode', 'fin', 'isMasked', 'rsv'] },
  )
  .map(({ payload, length, ...options }) => frame(payload, length === undefined ? options : { ...options, length }))

const bytes = fc
  .array(fc.oneof({ weight: 4, arbitrary: rawFrame }, { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }) }), {
    minLength: 1,
    maxLength: 8,
  })
  .map((parts) => Buffer.concat(parts))

describe('bytes of any kind', () => {
  it.each(['before', 'after'])('%s authentication reach no handler, and leave the server well', async (when) => {
    const { port, url, sockets } = await serve({
      messages: { hello: 'token', quiet: 'token' },
      // Who never authenticates is waited for; who does may take as long as the machine takes.
      limits: {
        authMs: when === 'before' ? 150 : 60_000,
        closeMs: 20,
        pendingPerAddress: 1000,
        socketsPerSubject: 1000,
        pingMs: 150,
        pongMs: 100,
      },
    })
    let called = 0
    sockets.on('hello', () => void called++)
    sockets.on('quiet', ({ reply }) => void reply({ type: 'well' }))
    await fc.assert(
      fc.asyncProperty(bytes, fc.array(fc.nat(100), { maxLength: 5 }), async (all, cuts) => {
        const client = tcpClient(port, { protocol: when === 'before' ? 'wsauth.v1' : undefined })
        await client.status
        if (when === 'after') {
          client.write(frame(JSON.stringify({ type: 'auth', token: makeToken({ sub: crypto.randomUUID() }) })))
          await expect.poll(() => client.received(), { interval: 1 }).toContain('auth.ok')
        }
        let from = 0
        for (const cut of cuts) {
          client.write(all.subarray(from, from + cut))
          from += cut
          await new Promise((resolve) => setImmediate(resolve))
        }
        client.write(all.subarray(from))
        if (when === 'before') await client.ended
        client.socket.destroy()
      }),
      { numRuns: when === 'before' ? 25 : 60 },
    )
    if (when === 'before') expect(called).toBe(0)
    await expect.poll(() => sockets.counts.sockets).toBe(0)
    // Again where a starved machine misses one of the short deadlines.
    const askAnew = async (): Promise<unknown> => {
      const client = await connected(url)
      client.send({ type: 'quiet' })
      return await client.next()
    }
    await expect.poll(askAnew).toEqual({ type: 'well' })
  })
})
