import { readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { simulateFeed } from '@countersign/revocation/testing'
import { systemClock } from '@countersign/tokens'
import { ConfigError, type RunningConsumer } from '@countersign-apps/kit'
import { serve } from '@countersign-apps/kit/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { readConfig } from '../src/config.ts'
import { startAgentApi } from '../src/index.ts'
import { jwks, makeToken } from './fixtures.ts'

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function setUp() {
  const issuer = await serve((request, response) => {
    const { pathname } = new URL(request.url ?? '', issuer.origin)
    if (pathname === '/.well-known/oauth-authorization-server') response.end(JSON.stringify(metadata))
    else if (pathname === '/jwks') response.end(JSON.stringify(jwks))
    else if (pathname === '/revocations/jwks.json') response.end(JSON.stringify({ keys: [feed.keys.get('feed-1')] }))
    else if (pathname === '/revocations') {
      feed
        .fetch(`${issuer.origin}${request.url}`)
        .then(async (answer) => response.writeHead(answer.status).end(await answer.bytes()))
    } else response.writeHead(404).end()
  })
  const feed = await simulateFeed(systemClock, issuer.origin)
  const metadata = { issuer: issuer.origin, jwks_uri: `${issuer.origin}/jwks` }
  ends.push(issuer.close)
  const lines: string[] = []
  const start = async (options = {}): Promise<RunningConsumer> => {
    const running = await startAgentApi({
      issuer: issuer.origin,
      port: 0,
      logDestination: { write: (line) => lines.push(line) },
      ...options,
    })
    ends.push(running.close)
    return running
  }
  return { issuer, metadata, feed, lines, start, token: makeToken({ iss: issuer.origin, jti: 'token-1' }) }
}

const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

describe('startAgentApi', () => {
  it('reads the keys of its issuer, answers, counts and logs', async () => {
    const { start, token, lines } = await setUp()
    const { url, metricsUrl } = await start({ metricsPort: 0, logLevel: 'debug' })
    expect((await fetch(`${url}/whoami`, bearer(token))).status).toBe(200)
    expect((await fetch(`${url}/whoami`, bearer('nonsense'))).status).toBe(401)
    const metrics = await (await fetch(metricsUrl ?? '')).text()
    expect(metrics).toMatch(
      /countersign_token_verifications_total\{surface="http",result="ok",reason="none",alg="EdDSA"\} 1/,
    )
    expect(metrics).toMatch(/reason="malformed"/)
    expect(lines.join('')).toContain('listens')
    expect(lines.join('')).not.toContain(token)
    expect(lines.join('')).not.toContain('nonsense')
  })

  it('streams chat at /chat, counts that, and says good-bye to its sockets', async () => {
    const { start, token, lines } = await setUp()
    const running = await start({ metricsPort: 0, logLevel: 'debug' })
    const socket = new WebSocket(`${running.url.replace('http', 'ws')}/chat`)
    const frames: { type: string }[] = []
    socket.onmessage = ({ data }) => frames.push(JSON.parse(data))
    const closed = new Promise<number>((resolve) => {
      socket.onclose = ({ code }) => resolve(code)
    })
    await new Promise((resolve) => {
      socket.onopen = resolve
    })
    socket.send(JSON.stringify({ type: 'auth', token }))
    await expect.poll(() => frames.at(-1)?.type).toBe('auth.ok')
    socket.send(JSON.stringify({ type: 'chat.send', data: { message: 'hello' } }))
    await expect.poll(() => frames.at(-1)?.type).toBe('chat.done')
    const metrics = await (await fetch(running.metricsUrl ?? '')).text()
    expect(metrics).toContain('countersign_ws_auth_total{result="ok",reason="none"} 1')
    expect(metrics).toContain('countersign_ws_sockets{state="ready"} 1')
    expect(metrics).toMatch(/token_verifications_total\{surface="websocket",result="ok",reason="none",alg="EdDSA"\} 1/)
    await running.close()
    expect(await closed).toBe(1001)
    expect(lines.join('')).not.toContain(token)
  })

  it('names the address that it really has, where the matrix has one on loopback', async () => {
    const { url } = await (await setUp()).start()
    const named = await (await fetch(`${url}/.well-known/oauth-protected-resource`)).json()
    expect(named).toMatchObject({ resource: url })
  })

  it('names the address that it was told', async () => {
    const { url } = await (await setUp()).start({ resource: 'https://agents.example.com' })
    const refused = await fetch(`${url}/agents`)
    expect(refused.headers.get('www-authenticate')).toContain(
      'resource_metadata="https://agents.example.com/.well-known/oauth-protected-resource"',
    )
  })

  it('answers 503 while its issuer cannot be reached, and alive all the same', async () => {
    const { issuer, start, token } = await setUp()
    await issuer.close()
    ends.shift()
    const { url } = await start()
    const answer = await fetch(`${url}/whoami`, bearer(token))
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
    expect((await fetch(`${url}/healthz`)).status).toBe(200)
  })

  it('follows the revocation feed that its issuer names, unless it is told not to', async () => {
    const { start, metadata, feed, token, lines } = await setUp()
    Object.assign(metadata, { countersign_revocations_uri: `${metadata.issuer}/revocations` })
    await feed.revoke({ type: 'jti', id: 'token-1', until: Math.ceil(Date.now() / 1000) + 600 })
    const following = await start()
    await following.whenReady()
    expect((await fetch(`${following.url}/whoami`, bearer(token))).status).toBe(401)
    expect(lines.join('')).toContain('feed_followed')
    expect(lines.join('')).toContain('revocation news')
    const deaf = await start({ revocations: 'off' })
    expect((await fetch(`${deaf.url}/whoami`, bearer(token))).status).toBe(200)
  })

  it('lets an idle connection not hold its end, and leaves nothing open', async () => {
    const { start } = await setUp()
    const running = await start({ metricsPort: 0 })
    const port = Number(new URL(running.url).port)
    const idle = connect(port, '127.0.0.1')
    await new Promise((resolve) => idle.once('connect', resolve))
    await fetch(`${running.url}/healthz`)
    const closed = new Promise((resolve) => idle.once('close', resolve))
    await running.close()
    await closed
    await expect(fetch(`${running.url}/healthz`)).rejects.toThrow()
    await expect(fetch(running.metricsUrl ?? '')).rejects.toThrow()
  })

  it('leaves nothing open when it cannot start', async () => {
    const { start } = await setUp()
    const first = await start()
    const port = Number(new URL(first.url).port)
    await expect(start({ port })).rejects.toThrow(/EADDRINUSE/)
    const sockets = () => readdirSync('/proc/self/fd').length
    const before = sockets()
    for (let index = 0; index < 5; index += 1) {
      await expect(start({ issuer: 'http://auth.example.com' })).rejects.toMatchObject({ code: 'insecure_url' })
    }
    expect(sockets()).toBeLessThan(before + 5)
  })
})

describe('readConfig', () => {
  it('has defaults for everything', () => {
    expect(readConfig({ PATH: '/bin', PORT: '' })).toEqual({
      issuer: 'http://127.0.0.1:4600',
      host: '127.0.0.1',
      port: 4610,
      logLevel: 'info',
      revocations: 'follow',
    })
  })

  it('reads what is set', () => {
    const variables = {
      COUNTERSIGN_ISSUER: 'https://auth.example.com',
      HOST: '::1',
      PORT: '8080',
      RESOURCE: 'https://agents.example.com',
      METRICS_PORT: '9090',
      REVOCATIONS: 'off',
      COUNTERSIGN_LOG_LEVEL: 'warn',
    }
    expect(readConfig(variables)).toEqual({
      issuer: 'https://auth.example.com',
      host: '::1',
      port: 8080,
      resource: 'https://agents.example.com',
      metricsPort: 9090,
      logLevel: 'warn',
      revocations: 'off',
    })
  })

  it.each([
    ['PORT', '65536'],
    ['PORT', '4610x'],
    ['METRICS_PORT', '-1'],
    ['COUNTERSIGN_ISSUER', 'auth.example.com'],
    ['RESOURCE', 'ftp://x'],
    ['COUNTERSIGN_LOG_LEVEL', 'loud'],
  ])('refuses %s=%s by name', (name, value) => {
    expect(() => readConfig({ [name]: value })).toThrow(ConfigError)
    expect(() => readConfig({ [name]: value })).toThrow(new RegExp(`^${name}: `))
  })
})
