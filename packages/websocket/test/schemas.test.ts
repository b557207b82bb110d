import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import { expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { connect } from '../src/client/index.ts'
import { closeCodes, retryAfterClose } from '../src/index.ts'
import { atEnd, connected, makeToken, seconds, serve } from './fixtures.ts'

const ajv = new Ajv({ allErrors: true })
const schema = (name: string) =>
  ajv.compile(JSON.parse(readFileSync(new URL(`../schemas/${name}.schema.json`, import.meta.url), 'utf8')))
const isFromClient = schema('client-to-server')
const isFromServer = schema('server-to-client')
const protocol = readFileSync(new URL('../PROTOCOL.md', import.meta.url), 'utf8')

it('describe every frame that client and server really send', async () => {
  const { url, sockets } = await serve({
    messages: { hello: 'token', fails: 'token', stays: 'token' },
    limits: { pingMs: 100, pongMs: 5000, reauthSeconds: 0 },
  })
  sockets.on('hello', ({ reply, connection }) => {
    reply({ type: 'hello.back', data: null })
    connection.askToReauthenticate('claims_changed')
  })
  sockets.on('fails', ({ refuse }) => void refuse('not_today', 'backoff'))
  sockets.on('stays', () => new Promise<void>(() => {}))
  const sent: string[] = []
  const came: string[] = []
  class Tapped extends WebSocket {
    constructor(address: string, protocols: string[]) {
      super(address, protocols)
      this.on('message', (data) => came.push(String(data)))
    }
    override send(data: unknown): void {
      sent.push(String(data))
      super.send(String(data))
    }
  }
  let life = 300
  const socket = connect(url, {
    getToken: async () => {
      life += 100
      return makeToken({ exp: seconds() + life })
    },
    WebSocket: Tapped as never,
  })
  atEnd(() => socket.close())
  await socket.request('hello', { a: 1 })
  await socket.request('fails').catch(() => {})
  await socket.request('nobody').catch(() => {})
  await expect.poll(() => came.filter((text) => text.includes('auth.ok')).length).toBeGreaterThan(1)
  await expect.poll(() => sent.some((text) => text.includes('pong'))).toBe(true)
  await sockets.close({ graceMs: 0 })
  for (const text of sent) expect(isFromClient(JSON.parse(text)), text).toBe(true)
  for (const text of came) expect(isFromServer(JSON.parse(text)), text).toBe(true)
  const types = (texts: string[]) => [...new Set(texts.map((text) => JSON.parse(text).type))].sort()
  expect(types(sent)).toEqual(['auth', 'fails', 'hello', 'nobody', 'pong'])
  expect(types(came)).toEqual(['auth.ok', 'auth.refresh', 'auth.required', 'error', 'hello.back', 'ping'])
})

it('describe the plain form too', async () => {
  const { url } = await serve({ messages: { hello: 'token' } })
  const client = await connected(url)
  client.send({ type: 'ping', n: 1 })
  expect(isFromServer(await client.next())).toBe(true)
})

it.each([
  ['no type', {}],
  ['a token that is no string', { type: 'auth', token: 1 }],
  ['no token', { type: 'auth' }],
  ['an empty id', { type: 'x', id: '' }],
  ['a type of the protocol that is none', { type: 'auth.mine' }],
  ['a ping without a number', { type: 'ping' }],
  ['an array', []],
])('do not take from a client: %s', (_what, value) => {
  expect(isFromClient(value)).toBe(false)
})

it('are held together with the page by the close codes, each in the range of what it asks', () => {
  const rows = [...protocol.matchAll(/^\| (\d{4})–(\d{4}) \| (\w+).* \| (.*) \|$/gm)]
  const asks = { stops: 'never', gets: 'new_token', reconnects: 'backoff' } as Record<string, string>
  const inPage = rows.flatMap(([, from, to, verb = '', codes = '']) =>
    [...codes.matchAll(/\b(4\d{3})\b/g)].map(([, code]) => {
      expect(Number(code) >= Number(from) && Number(code) <= Number(to)).toBe(true)
      expect(retryAfterClose(Number(code))).toBe(asks[verb])
      return Number(code)
    }),
  )
  expect(inPage).toEqual(Object.values(closeCodes))
  for (const [code, retry] of [
    [4405, 'never'],
    [4450, 'new_token'],
    [4499, 'backoff'],
    [1006, 'backoff'],
    [1009, 'never'],
    [4500, 'backoff'],
  ]) {
    expect(retryAfterClose(Number(code))).toBe(retry)
  }
})
