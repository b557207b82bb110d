import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { readDocument } from '../src/jwks.ts'
import { FakeClock } from './support/fake-clock.ts'

/** What every name resolves to. */
const resolved = vi.hoisted(() => ({ address: '10.0.0.1', asked: [] as string[] }))
vi.mock('node:dns', () => ({
  lookup(hostname: string, _options: object, callback: (error: null, addresses: object[]) => void) {
    resolved.asked.push(hostname)
    callback(null, [{ address: resolved.address, family: 4 }])
  },
}))

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/metadata`
}

describe('reading a document of an issuer', () => {
  it('gives its text', async () => {
    const url = await serve((_request, response) => response.end('{"issuer":"x"}'))
    expect(await readDocument(url)).toMatchObject({ ok: true, status: 200, text: '{"issuer":"x"}' })
  })

  it('has no bytes for a name that resolves to a private address, or to this machine', async () => {
    for (const address of ['10.0.0.1', '127.0.0.1', '169.254.169.254']) {
      resolved.address = address
      const answer = await readDocument('https://auth.example.com/metadata')
      expect(answer).toEqual({ ok: false, reason: 'refused_address' })
    }
    expect(resolved.asked).toContain('auth.example.com')
  })

  it('says what else was wrong', async () => {
    const answers: [RequestListener, object][] = [
      [(_request, response) => response.writeHead(404).end(), { reason: 'status', status: 404 }],
      [(_request, response) => response.writeHead(302, { location: '/x' }).end(), { reason: 'redirect', status: 302 }],
      [(_request, response) => response.end('x'.repeat(65_537)), { reason: 'too_large' }],
      [(request) => request.socket.destroy(), { reason: 'network' }],
    ]
    for (const [listener, expected] of answers) {
      expect(await readDocument(await serve(listener))).toEqual({ ok: false, ...expected })
    }
  })

  it('ends with its time and with its signal, and leaves no timer behind', async () => {
    const clock = new FakeClock()
    const asked: (() => void)[] = []
    const url = await serve(() => asked.shift()?.())
    const coming = (): Promise<void> => new Promise((resolve) => asked.push(resolve))

    let came = coming()
    const late = readDocument(url, { clock })
    await came
    clock.advance(3)
    expect(await late).toEqual({ ok: false, reason: 'network' })

    came = coming()
    const closing = new AbortController()
    const ended = readDocument(url, { clock, signal: closing.signal })
    await came
    closing.abort()
    expect(await ended).toEqual({ ok: false, reason: 'network' })
    expect(await readDocument(url, { clock, signal: closing.signal })).toEqual({ ok: false, reason: 'network' })
    expect(clock.timers).toBe(0)
  })

  it.each([
    ['http://auth.example.com/', 'insecure_url'],
    ['https://10.0.0.1/', 'insecure_url'],
    ['ftp://auth.example.com/', 'bad_option'],
  ])('refuses %s', async (url, code) => {
    await expect(readDocument(url)).rejects.toMatchObject({ name: 'TokensError', code })
  })
})
