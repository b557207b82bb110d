import { createGuard } from '@countersign/guard'
import { createVerifier, type Principal, staticKeys } from '@countersign/tokens'
import { type ClientSocket, connect } from '@countersign/websocket/client'
import { afterEach, describe, expect, it } from 'vitest'
import { consumer } from '../src/index.ts'
import { issuer, jwks, makeToken, startApi, type World } from './fixtures.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function setUp(options = {}): Promise<World> {
  const api = await startApi(options)
  ends.push(api.close)
  return api
}

function client(api: World, token: string): ClientSocket {
  const socket = connect(`${api.origin}/chat`, { getToken: async () => token })
  ends.push(() => socket.close())
  return socket
}

/** Everything that comes, in order. */
function listen(socket: ClientSocket): unknown[] {
  const heard: unknown[] = []
  socket.on('chat.delta', (data) => heard.push((data as { text: string }).text))
  socket.on('chat.done', (data) => heard.push(data))
  return heard
}

describe('chat over a WebSocket', () => {
  it('comes word by word, and is the conversation that HTTP knows', async () => {
    const api = await setUp()
    const token = makeToken()
    const socket = client(api, token)
    const heard = listen(socket)
    await socket.send('chat.send', { message: 'hello there' })
    await expect.poll(() => heard.at(-1)).toBeTypeOf('object')
    const done = heard.pop() as { conversation: string; reply: string }
    expect(done).toMatchObject({ agent: 'concierge', answered_by: 'local-responder' })
    expect(heard.length).toBeGreaterThan(5)
    expect(heard.join('')).toBe(done.reply)
    const more = await api.call('POST', '/chat', { token, body: { message: 'more', conversation: done.conversation } })
    expect([more.status, more.body.conversation]).toEqual([200, done.conversation])
    const seen = await api.call('GET', `/conversations/${done.conversation}`, { token })
    expect(seen.body.messages).toHaveLength(4)
  })

  it.each([
    [{ message: '' }, 'invalid_request'],
    ['x', 'invalid_request'],
    [undefined, 'invalid_request'],
    [{ message: 'x', conversation: 'nobody' }, 'not_found'],
    [{ message: 'x', agent: '__proto__' }, 'not_found'],
  ])('answers %j with %s, and goes on', async (data, code) => {
    const api = await setUp()
    const socket = client(api, makeToken())
    await expect(socket.request('chat.send', data)).rejects.toMatchObject({ code: 'refused', refusal: { code } })
    expect(socket.state).toBe('ready')
  })

  it('needs its scope, and its own conversation', async () => {
    const api = await setUp()
    const reader = client(api, makeToken({ scope: 'agents:read' }))
    await expect(reader.request('chat.send', { message: 'x' })).rejects.toMatchObject({
      refusal: { code: 'insufficient_scope' },
    })
    const { conversation } = (await api.call('POST', '/chat', { token: makeToken(), body: { message: 'secret' } })).body
    const bob = client(api, makeToken({ sub: 'bob' }))
    await expect(bob.request('chat.send', { message: 'x', conversation })).rejects.toMatchObject({
      refusal: { code: 'not_found' },
    })
  })

  it('answers 500-like faults as `internal`, and says nothing of why', async () => {
    const events: unknown[] = []
    const newId = (): string => {
      throw new Error('disk')
    }
    const api = await setUp({ newId, chat: { onEvent: (event: unknown) => events.push(event) } })
    const socket = client(api, makeToken())
    await expect(socket.request('chat.send', { message: 'x' })).rejects.toMatchObject({ refusal: { code: 'internal' } })
    expect(events).toContainEqual(expect.objectContaining({ type: 'fault', message: 'chat.send' }))
  })

  it('ends in the middle of an answer when its token is revoked', async () => {
    const revoked = new Set<string | undefined>()
    const calls = new Set<() => void>()
    const verifier = createVerifier({ issuer, audience: consumer.audience, keys: staticKeys(jwks) })
    const guard = createGuard({
      verifier,
      consumer,
      revocations: {
        isRevoked: ({ tokenId }: Principal) => revoked.has(tokenId),
        onChange: (call) => {
          calls.add(call)
          return () => calls.delete(call)
        },
      },
    })
    const api = await setUp({ guard })
    const socket = client(api, makeToken({ jti: 'stolen' }))
    const heard = listen(socket)
    const stopped = new Promise((resolve) => socket.onState((state, { code }) => state === 'stopped' && resolve(code)))
    socket.on('chat.delta', () => {
      revoked.add('stolen')
      for (const call of calls) call()
    })
    await socket.send('chat.send', { message: 'a message that is long enough for a long answer '.repeat(20) })
    // The client asks for another token once, and gets the same.
    expect(await stopped).toBe(4431)
    expect(heard.length).toBeGreaterThan(0)
    expect(heard.at(-1)).toBeTypeOf('string')
  })
})
