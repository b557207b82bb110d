import { describe, expect, it } from 'vitest'
import { connected, makeToken, rawClient, seconds, serve } from './fixtures.ts'

const messages = { 'chat.send': ['chat:write'], 'feed.read': ['agents:read'], hello: 'token' } as const

describe('wsauth.v1', () => {
  it('asks, takes a token, and then messages', async () => {
    const { url, sockets } = await serve({ messages })
    sockets.on('chat.send', ({ principal, data, reply }) => {
      reply({ type: 'chat.done', data: { to: principal.subject, said: data } })
    })
    const client = rawClient(url)
    expect(await client.next()).toEqual({
      type: 'auth.required',
      v: 1,
      methods: ['bearer'],
      deadlineMs: 5000,
      maxBytes: 8192,
    })
    expect(client.ws.protocol).toBe('wsauth.v1')
    const exp = seconds() + 600
    client.send({ type: 'auth', id: 'a', token: makeToken({ exp }) })
    expect(await client.next()).toEqual({
      type: 'auth.ok',
      id: 'a',
      sid: expect.any(String),
      exp,
      now: expect.any(Number),
      refreshAtMs: expect.any(Number),
      pingMs: 25_000,
      pongMs: 10_000,
      scopes: ['agents:read', 'chat:write'],
    })
    client.send({ type: 'chat.send', id: '1', data: 'hi' })
    expect(await client.next()).toEqual({ type: 'chat.done', id: '1', data: { to: 'ada', said: 'hi' } })
  })

  it('denies types that nobody declared, and scopes that are not held', async () => {
    const { url, sockets } = await serve({ messages })
    sockets.on('chat.send', ({ reply }) => void reply({ type: 'chat.done' }))
    const client = await connected(url, makeToken({ scope: 'agents:read' }))
    client.send({ type: 'chat.send', id: '1' })
    expect(await client.next()).toEqual({ type: 'error', id: '1', code: 'insufficient_scope', retry: 'never' })
    for (const type of ['nobody', 'constructor', '__proto__', 'toString']) {
      client.send({ type, id: '2' })
      expect(await client.next()).toEqual({ type: 'error', id: '2', code: 'unknown_type', retry: 'never' })
    }
  })
})

describe('the plain form', () => {
  it('waits for the first message, and answers it', async () => {
    const { url, sockets } = await serve({ messages })
    sockets.on('hello', ({ reply }) => void reply({ type: 'hello.back' }))
    const client = rawClient(url, [])
    client.send({ type: 'auth', token: makeToken() })
    expect(await client.next()).toMatchObject({ type: 'auth.ok', scopes: ['agents:read', 'chat:write'] })
    client.send({ type: 'hello' })
    expect(await client.next()).toEqual({ type: 'hello.back' })
  })

  it('closes with a code where the token is not accepted', async () => {
    const { url } = await serve({ messages })
    const client = rawClient(url, [])
    client.send({ type: 'auth', token: 'nonsense' })
    expect(await client.closed).toEqual({ code: 4401, reason: 'invalid_token' })
  })
})
