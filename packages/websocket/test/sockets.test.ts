import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { connected, makeGuard, makeToken, rawClient, serve, testRevocations } from './fixtures.ts'
import { frame, tcpClient } from './tcp-client.ts'

const messages = { hello: 'token' } as const
const auth = (token = makeToken()) => frame(JSON.stringify({ type: 'auth', token }))

describe('bytes before authentication', () => {
  it.each([
    ['a first frame of 900 KB', frame('x'.repeat(900_000)), 4413],
    ['a frame that says it is long', frame('x', { length: 8192 }), 4413],
    ['a frame that says it is 2^60 bytes', frame('x', { length: 2 ** 60 }), 4413],
    ['2,000 pings', Buffer.concat(Array.from({ length: 2000 }, () => frame('', { opcode: 9 }))), 4413],
    ['a binary frame', frame('x', { opcode: 2 }), 4400],
    ['a fragment', frame('{"type":', { fin: false }), 4400],
    ['a continuation of nothing', frame('x', { opcode: 0 }), 4400],
    ['a message before the token', frame('{"type":"hello"}'), 4400],
    ['text that is not UTF-8', frame(new Uint8Array([0xff, 0xfe])), 1007],
    ['a frame without a mask', frame('x', { isMasked: false }), 1002],
    ['a reserved bit', frame('x', { rsv: 4 }), 1002],
    ['a reserved opcode', frame('x', { opcode: 5 }), 1002],
    ['a long ping', frame('x'.repeat(126), { opcode: 9 }), 1002],
  ])('end the connection: %s', async (_what, bytes, code) => {
    const { port, sockets, events } = await serve({ messages, limits: { closeMs: 60 } })
    let called = 0
    sockets.on('hello', () => void called++)
    const client = tcpClient(port)
    await client.status
    client.write(bytes)
    // It ignores the close frame and never closes its side.
    await client.ended
    await expect.poll(() => sockets.counts.sockets).toBe(0)
    expect(client.closeCodes()).toEqual([code])
    expect(client.received()).not.toContain('\x8a')
    expect(called).toBe(0)
    expect(events.at(-1)).toMatchObject({ type: 'closed' })
  })

  it('may come in any pieces, with pings between, of which none is answered', async () => {
    const { port, sockets } = await serve({ messages })
    const client = tcpClient(port)
    await client.status
    const all = Buffer.concat([frame('a', { opcode: 9 }), auth(), frame(JSON.stringify({ type: 'hello' }))])
    const answered = new Promise<void>((resolve) => sockets.on('hello', () => resolve()))
    const token = all.subarray(0, all.length - 22)
    for (let index = 0; index < token.length; index += 7) client.write(token.subarray(index, index + 7))
    await expect.poll(() => client.received()).toContain('auth.ok')
    client.write(all.subarray(all.length - 22))
    await answered
    expect(client.received()).not.toContain('\x8a')
  })

  it('count when they came with the upgrade, in one segment', async () => {
    const { port, sockets } = await serve({ messages })
    let called = 0
    sockets.on('hello', () => void called++)
    const early = (...frames: Buffer[]) => tcpClient(port, { protocol: undefined, after: Buffer.concat(frames) })
    const good = early(auth())
    await expect.poll(() => good.received()).toContain('auth.ok')
    const greedy = early(frame('x'.repeat(9000)))
    await greedy.ended
    const hasty = early(auth(), frame('{"type":"hello"}'))
    await hasty.ended
    expect([greedy.closeCodes(), hasty.closeCodes(), called]).toEqual([[4413], [4400], 0])
  })

  it('end when they stop: the deadline waits for nobody', async () => {
    const { port, sockets } = await serve({ messages, limits: { authMs: 100 } })
    const clients = [tcpClient(port), tcpClient(port), tcpClient(port)]
    for (const client of clients) await client.status
    const drip = setInterval(() => clients[1]?.write(frame('', { opcode: 10 })), 10)
    clients[2]?.write(auth().subarray(0, 100))
    for (const client of clients) await client.ended
    clearInterval(drip)
    expect(clients.map((client) => client.closeCodes())).toEqual([[4460], [4460], [4460]])
    await expect.poll(() => sockets.counts).toEqual({ pending: 0, sockets: 0 })
  })
})

describe('bytes after authentication', () => {
  it('may be 64 KiB a message, in up to 64 fragments', async () => {
    const { url, sockets } = await serve({ messages })
    const got: number[] = []
    sockets.on('hello', ({ data, reply }) => {
      got.push(String(data).length)
      reply({ type: 'got' })
    })
    const client = await connected(url)
    client.send({ type: 'hello', data: 'x'.repeat(65_000) })
    await client.next()
    const text = JSON.stringify({ type: 'hello', data: 'y'.repeat(1000) })
    for (let index = 0; index < 64; index += 1) {
      client.ws.send(index === 0 ? text : '', { fin: index === 63 })
    }
    await client.next()
    expect(got).toEqual([65_000, 1000])
    client.ws.send(`"${'x'.repeat(65_536)}"`)
    expect((await client.closed).code).toBe(1009)
  })

  it('end the connection at the 65th fragment', async () => {
    const { url } = await serve({ messages })
    const client = await connected(url)
    for (let index = 0; index < 70; index += 1) client.ws.send('x', { fin: false })
    expect((await client.closed).code).toBe(1008)
  })

  it('are never compressed', async () => {
    const { url } = await serve({ messages })
    const client = rawClient(url, ['wsauth.v1'], { perMessageDeflate: true })
    await client.next()
    expect(client.ws.extensions).toBe('')
  })

  it('wait in the network while 32 messages are in hand', async () => {
    const { url, sockets } = await serve({ messages, limits: { burst: 1000 } })
    const finish: (() => void)[] = []
    sockets.on('hello', () => new Promise<void>((resolve) => finish.push(resolve)))
    const client = await connected(url)
    for (let index = 0; index < 200; index += 1) client.send({ type: 'hello' })
    await expect.poll(() => finish.length).toBe(32)
    let done = 0
    while (done < 200) {
      await expect.poll(() => finish.length).toBeGreaterThan(done)
      finish[done]?.()
      done += 1
    }
    expect(finish).toHaveLength(200)
  })
})

it('sends frames of any length as they are', async () => {
  const { url, sockets } = await serve({ messages, limits: { sendBufferMaxBytes: 10_000_000 } })
  const lengths = [0, 1, 99, 125, 126, 127, 65_535, 65_536, 70_000, 1_000_000]
  const texts = [...lengths.map((length) => 'x'.repeat(length)), 'naïve ✓ 🙂', '✓'.repeat(42), '✓'.repeat(30_000)]
  sockets.on('hello', ({ connection }) => {
    for (const text of texts) connection.sendFrame(text)
    connection.sendFrame(new TextEncoder().encode('bytes'))
  })
  const client = await connected(url)
  const got: string[] = []
  client.ws.on('message', (data, isBinary) => got.push(isBinary ? `binary ${data}` : String(data)))
  client.send({ type: 'hello' })
  await expect.poll(() => got.length).toBe(texts.length + 1)
  expect(got).toEqual([...texts, 'binary bytes'])
})

it('lets go of a peer that ended its half and takes nothing, at once', async () => {
  const { port, sockets, events } = await serve({ messages })
  sockets.on('hello', ({ connection }) => void connection.sendFrame('x'.repeat(4_000_000)))
  const client = tcpClient(port)
  await client.status
  client.write(auth())
  await expect.poll(() => client.received()).toContain('auth.ok')
  client.socket.pause()
  client.write(frame('{"type":"hello"}'))
  client.socket.end()
  await expect.poll(() => sockets.counts.sockets).toBe(0)
  expect(events.at(-1)).toMatchObject({ type: 'closed', code: 1006, by: 'client' })
})

describe('a peer that ignores the close frame', () => {
  it('is not heard after its token was revoked, and loses its connection', async () => {
    const revocations = testRevocations()
    const { port, sockets, events } = await serve({
      messages,
      guard: makeGuard({ revocations }),
      limits: { burst: 100_000 },
    })
    let isRevoked = false
    const heard = { before: 0, after: 0 }
    sockets.on('hello', () => {
      heard[isRevoked ? 'after' : 'before'] += 1
    })
    const client = tcpClient(port)
    await client.status
    client.write(auth())
    await expect.poll(() => client.received()).toContain('auth.ok')
    const flood = setInterval(() => {
      client.write(Buffer.concat(Array.from({ length: 50 }, () => frame('{"type":"hello"}'))))
    }, 1)
    await expect.poll(() => heard.before).toBeGreaterThan(0)
    isRevoked = true
    revocations.revoke(({ subject }) => subject === 'ada')
    await client.ended
    clearInterval(flood)
    await expect.poll(() => sockets.counts.sockets).toBe(0)
    expect(heard.after).toBe(0)
    expect(client.closeCodes()).toEqual([4431])
    expect(events).toContainEqual(expect.objectContaining({ type: 'dropped', cause: 'revoked' }))
  })

  it('gets no frame of the same segment delivered that closed it', async () => {
    const { port, sockets } = await serve({ messages })
    let heard = 0
    sockets.on('hello', () => void heard++)
    const client = tcpClient(port)
    await client.status
    client.write(Buffer.concat([auth('nonsense'), ...Array.from({ length: 20 }, () => frame('{"type":"hello"}'))]))
    await client.ended
    expect(heard).toBe(0)
  })
})

it('serves nobody who is revoked while connecting, whenever that is', async () => {
  const revocations = testRevocations()
  const { url, sockets } = await serve({
    messages,
    guard: makeGuard({ revocations }),
    limits: { socketsPerSubject: 1000 },
  })
  const isRevoked = new Set<string>()
  const lateOnes: string[] = []
  sockets.on('hello', ({ principal: { subject } }) => {
    if (isRevoked.has(subject)) lateOnes.push(subject)
  })
  await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const sub = `user_${index}`
      const client = rawClient(url, [])
      await once(client.ws, 'open')
      client.send({ type: 'auth', token: makeToken({ sub }) })
      const timer = setInterval(() => {
        if (client.ws.readyState === client.ws.OPEN) client.send({ type: 'hello' })
      }, 1)
      // Spread over what connecting takes, by chance: every moment has to be as good as any other.
      setTimeout(() => {
        isRevoked.add(sub)
        revocations.revoke(({ subject }) => subject === sub)
      }, index / 4)
      const { code } = await client.closed
      clearInterval(timer)
      // 4400 where it spoke while it was looked at.
      expect([4400, 4431]).toContain(code)
    }),
  )
  expect(lateOnes).toEqual([])
})
