import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openPage, startChromium } from '@countersign-tooling/chromium'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { atEnd, makeGuard, makeToken, seconds, serve, testRevocations } from './fixtures.ts'

/**
 * Written from PROTOCOL.md on the bare WebSocket, with nothing of this package. One function without anything around
 * it, so that the very same runs in Node and in a page.
 */
async function strangersClient(url: string, tokens: string[], protocol: string | undefined): Promise<unknown[]> {
  const said: unknown[] = []
  const socket = protocol === undefined ? new WebSocket(url) : new WebSocket(url, protocol)
  const waiting: ((frame: Record<string, unknown>) => void)[] = []
  const came: Record<string, unknown>[] = []
  const next = (): Promise<Record<string, unknown>> =>
    new Promise((resolve) => {
      const frame = came.shift()
      if (frame === undefined) waiting.push(resolve)
      else resolve(frame)
    })
  const send = (frame: unknown): void => socket.send(JSON.stringify(frame))
  const closed = new Promise<number>((resolve) => {
    socket.onclose = (event) => resolve(event.code)
  })
  socket.onmessage = (event) => {
    const frame = JSON.parse(event.data)
    if (frame.type === 'ping') return send({ type: 'pong', n: frame.n })
    const wake = waiting.shift()
    if (wake === undefined) came.push(frame)
    else wake(frame)
  }
  await new Promise((resolve) => {
    socket.onopen = resolve
  })
  said.push(['protocol', socket.protocol])
  // 4.1, but for the plain form (8.1).
  if (protocol !== undefined) said.push(['required', (await next()).methods])
  send({ type: 'auth', id: 'first', token: tokens[0] })
  const ok = await next()
  said.push([ok.type, ok.id, ok.scopes, typeof ok.pingMs])
  send({ type: 'echo', id: '1', data: { text: 'ünïcödé 😀' } })
  const answer = await next()
  said.push([answer.type, answer.id, answer.data])
  send({ type: 'forbidden', id: '2' })
  const refusal = await next()
  said.push([refusal.type, refusal.id, refusal.code, refusal.retry])
  // 5.2 to 5.4.
  send({ type: 'auth', id: 'again', token: tokens[1] })
  const again = await next()
  said.push([again.type, again.id, again.scopes])
  send({ type: 'ping', n: 9 })
  said.push(await next())
  // 5.7.
  send({ type: 'revoke-me' })
  said.push(['closed', await closed])
  return said
}

const expected = (protocol: string | undefined) => [
  ['protocol', protocol ?? ''],
  ...(protocol === undefined ? [] : [['required', ['bearer']]]),
  ['auth.ok', 'first', ['agents:read'], protocol === undefined ? 'undefined' : 'number'],
  ['echoed', '1', { text: 'ünïcödé 😀' }],
  ['error', '2', 'insufficient_scope', 'never'],
  ['auth.ok', 'again', ['agents:read', 'chat:write']],
  { type: 'pong', n: 9 },
  ['closed', 4431],
]

async function serveAll() {
  const revocations = testRevocations()
  const world = await serve({
    guard: makeGuard({ revocations }),
    messages: { echo: 'token', forbidden: ['chat:write'], 'revoke-me': 'token' },
    limits: { reauthSeconds: 0 },
  })
  world.sockets.on('echo', ({ data, reply }) => void reply({ type: 'echoed', data }))
  world.sockets.on('forbidden', () => {})
  world.sockets.on('revoke-me', ({ principal }) => revocations.revoke(({ subject }) => subject === principal.subject))
  return world
}

async function pageAt(address: string): Promise<Page> {
  const browser = await startChromium()
  atEnd(() => browser.close())
  return (await openPage(browser, address)).page
}

const tokensOf = (sub: string) => [makeToken({ sub, scope: 'agents:read' }), makeToken({ sub, exp: seconds() + 900 })]

describe("a stranger's client, written from PROTOCOL.md", () => {
  it.each([['wsauth.v1'], [undefined]])('gets on in Node, on its bare WebSocket, with %s', async (protocol) => {
    const { url } = await serveAll()
    expect(await strangersClient(url, tokensOf('ada'), protocol)).toEqual(expected(protocol))
  })

  it('gets on in a browser', async () => {
    const { url, port } = await serveAll()
    const page = await pageAt(`http://127.0.0.1:${port}/`)
    const inPage = (protocol: string | null, sub: string): Promise<unknown[]> =>
      page.evaluate(
        `(${strangersClient})(${JSON.stringify(url)}, ${JSON.stringify(tokensOf(sub))}, ${JSON.stringify(protocol)} ?? undefined)`,
      )
    expect(await inPage('wsauth.v1', 'ada')).toEqual(expected('wsauth.v1'))
    expect(await inPage(null, 'grace')).toEqual(expected(undefined))
    // What a page sees of refusals: a code for each, also of the subprotocol.
    const codeOf = (first: string, protocols: string): Promise<number> =>
      page.evaluate(`new Promise((resolve) => {
        const socket = new WebSocket(${JSON.stringify(url)}, ${protocols})
        socket.onopen = () => socket.send(${JSON.stringify(first)})
        socket.onclose = ({ code }) => resolve(code)
      })`)
    expect(await codeOf('{"type":"auth","token":"nonsense"}', '["wsauth.v1"]')).toBe(4401)
    expect(await codeOf('hello', '["wsauth.v1"]')).toBe(4400)
    expect(await codeOf('hello', '["wsauth.v9"]')).toBe(4406)
    expect(await codeOf(`{"type":"auth","token":"${'x'.repeat(9000)}"}`, '[]')).toBe(4413)
  })
})

it('has a client that runs in a page as it is built, under the strictest policy', async () => {
  const { server, port, sockets } = await serve({ messages: { echo: 'token' } })
  sockets.on('echo', ({ data, reply }) => void reply({ type: 'echoed', data }))
  const dist = fileURLToPath(new URL('../dist', import.meta.url))
  const script = `
    import { connect } from '/dist/client/index.js'
    const socket = connect('/ws', { getToken: async () => (await fetch('/token')).text() })
    globalThis.answer = socket.request('echo', { from: 'a page' })`
  server.removeAllListeners('request').on('request', (request, response) => {
    response.setHeader('Content-Security-Policy', "default-src 'none'; script-src 'self'; connect-src 'self'")
    const path = request.url ?? ''
    const isPage = path === '/'
    response.setHeader('Content-Type', isPage ? 'text/html' : 'text/javascript')
    if (isPage) response.end('<script type=module src=/page.js></script>')
    else if (path === '/token') response.end(makeToken())
    else response.end(path === '/page.js' ? script : readFileSync(join(dist, path.replace(/^\/dist/, ''))))
  })
  const page = await pageAt(`http://127.0.0.1:${port}/`)
  expect(await page.evaluate('globalThis.answer')).toEqual({ from: 'a page' })
})
