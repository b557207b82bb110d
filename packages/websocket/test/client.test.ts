import { describe, expect, it } from 'vitest'
import { WebSocket as WsWebSocket } from 'ws'
import { type ClientSocket, type ClientState, type ConnectOptions, connect } from '../src/client/index.ts'
import { atEnd, makeGuard, makeToken, seconds, serve, testRevocations } from './fixtures.ts'

const messages = { 'chat.send': ['chat:write'], slow: 'token' } as const

function client(url: string, options: Partial<ConnectOptions> = {}): ClientSocket {
  const socket = connect(url, { getToken: async () => makeToken(), ...options })
  atEnd(() => socket.close())
  return socket
}

function reaches(socket: ClientSocket, wanted: ClientState): Promise<object> {
  return new Promise((resolve) => {
    const stop = socket.onState((state, details) => {
      if (state !== wanted) return
      queueMicrotask(() => stop())
      resolve(details)
    })
  })
}

describe('connect', () => {
  it.each([
    ["Node's own", undefined],
    ["ws's", WsWebSocket],
  ])('connects, asks and is answered, with %s WebSocket', async (_whose, WebSocket) => {
    const { url, sockets } = await serve({ messages })
    sockets.on('chat.send', ({ data, reply }) => void reply({ type: 'chat.done', data }))
    const socket = client(url, WebSocket === undefined ? {} : { WebSocket })
    expect(await socket.request('chat.send', { text: 'hi' })).toEqual({ text: 'hi' })
    await expect(socket.request('nobody')).rejects.toMatchObject({ code: 'refused', refusal: { code: 'unknown_type' } })
  })

  it('gets another token once when the first is refused, and stops when that is refused too', async () => {
    const revocations = testRevocations()
    const { url } = await serve({ messages, guard: makeGuard({ revocations }) })
    revocations.revoke(({ subject }) => subject === 'eve')
    const reasons: string[] = []
    const good = client(url, {
      getToken: async ({ reason }) => {
        reasons.push(reason)
        return makeToken({ sub: reason === 'rejected' ? 'ada' : 'eve' })
      },
      random: () => 0,
    })
    await reaches(good, 'ready')
    expect(reasons).toEqual(['connect', 'rejected'])
    const bad = client(url, { getToken: async () => makeToken({ sub: 'eve' }), random: () => 0 })
    expect(await reaches(bad, 'stopped')).toEqual({ reason: 'refused', code: 4431 })
    await expect(bad.send('chat.send')).rejects.toMatchObject({ code: 'stopped' })
  })

  it('stops at a forged token without asking again', async () => {
    const { url } = await serve({ messages })
    let asked = 0
    const socket = client(url, {
      getToken: async () => {
        asked += 1
        return 'nonsense'
      },
    })
    expect(await reaches(socket, 'stopped')).toEqual({ reason: 'refused', code: 4401 })
    expect(asked).toBe(1)
  })

  it('sends what waited, once it is connected', async () => {
    const { url, sockets } = await serve({ messages })
    const got: unknown[] = []
    sockets.on('chat.send', ({ data }) => void got.push(data))
    sockets.on('slow', ({ reply }) => void reply({ type: 'slow.done' }))
    const socket = client(url)
    await Promise.all([socket.send('chat.send', 1), socket.send('chat.send', 2)])
    await socket.request('slow')
    expect(got).toEqual([1, 2])
  })

  it('renews its token in place', async () => {
    const { url, sockets } = await serve({ messages, limits: { reauthSeconds: 0 } })
    const reasons: string[] = []
    let life = 2
    const socket = client(url, {
      getToken: async ({ reason }) => {
        reasons.push(reason)
        const token = makeToken({ exp: seconds() + life })
        life = 600
        return token
      },
    })
    await reaches(socket, 'ready')
    const [connection] = sockets.connections()
    const before = connection?.principal
    await expect.poll(() => connection?.principal === before).toBe(false)
    expect(reasons).toEqual(['connect', 'refresh'])
    expect(socket.state).toBe('ready')
  })

  it('forgets everything at logout', async () => {
    const { url, sockets } = await serve({ messages })
    const socket = client(url)
    await reaches(socket, 'ready')
    const heard: unknown[] = []
    socket.on('feed', (data) => heard.push(data))
    const [connection] = sockets.connections()
    socket.logout()
    connection?.send('feed', 1)
    await expect(socket.request('chat.send')).rejects.toMatchObject({ code: 'stopped' })
    await expect.poll(() => sockets.counts.sockets).toBe(0)
    expect(heard).toEqual([])
  })
})
