import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { createVerifier, isRejection } from '../src/index.ts'
import { remoteJwks } from '../src/jwks.ts'
import { FakeClock } from './support/fake-clock.ts'
import { ed25519Key, goodClaims, tokenWith } from './support/issuer.ts'

const key = ed25519Key('k1')
const cleanUp: (() => unknown)[] = []
afterEach(async () => {
  for (const end of cleanUp.splice(0).reverse()) await end()
})

/** An endpoint whose behaviour can be changed, and a verifier over it on a clock that stands still. */
async function setUp() {
  const state: { requests: number; answer: RequestListener } = {
    requests: 0,
    answer: (_request, response) => {
      response.writeHead(200, { 'cache-control': 'max-age=300' }).end(JSON.stringify({ keys: [key.jwk] }))
    },
  }
  const server = createServer((request, response) => {
    state.requests++
    state.answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const clock = new FakeClock()
  const keys = remoteJwks(`http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`, { clock })
  cleanUp.push(() => {
    keys.close()
    server.closeAllConnections()
    server.close()
  })
  const verifier = createVerifier({ issuer: goodClaims.iss, audience: goodClaims.aud, keys, clock })
  const goodToken = (): string => tokenWith({ iat: Math.floor(clock.now()), exp: Math.floor(clock.now()) + 600 }, key)
  return { state, clock, keys, verifier, goodToken }
}

/** Why a token is refused; undefined: it is not. */
async function refusal(verifying: Promise<unknown>): Promise<string | undefined> {
  return await verifying.then(
    () => undefined,
    (error: unknown) => (isRejection(error) ? error.code : String(error)),
  )
}

const strays = Array.from({ length: 300 }, (_, index) => tokenWith({}, ed25519Key(`stray-${index}`)))

describe('300 tokens of unknown keys', () => {
  it('cost two fetches at most, one after another or all at once, and no good token', async () => {
    for (const atOnce of [false, true]) {
      const { state, verifier, goodToken } = await setUp()
      if (atOnce) {
        const refusals = await Promise.all(strays.map((token) => refusal(verifier.verify(token))))
        expect(new Set(refusals)).toEqual(new Set(['unknown_key']))
      } else {
        for (const token of strays) expect(await refusal(verifier.verify(token))).toBe('unknown_key')
      }
      expect(state.requests).toBeLessThanOrEqual(2)
      expect(await refusal(verifier.verify(goodToken()))).toBeUndefined()
    }
  })

  it('cost two fetches at most when the endpoint fails, too', async () => {
    const { state, verifier } = await setUp()
    state.answer = (_request, response) => void response.writeHead(500).end()
    for (const token of strays) expect(await refusal(verifier.verify(token))).toBe('keys_unavailable')
    expect(state.requests).toBeLessThanOrEqual(2)
  })
})

describe('an endpoint that is down', () => {
  const failures: [what: string, answer: RequestListener][] = [
    ['says 503', (_request, response) => void response.writeHead(503).end()],
    ['cuts connections', (request) => void request.socket.destroy()],
  ]
  it.each(failures)('and %s costs no good token for 24 hours', async (_what, answer) => {
    const { state, clock, verifier, goodToken } = await setUp()
    expect(await refusal(verifier.verify(goodToken()))).toBeUndefined()
    state.answer = answer
    let verified = 0
    // Every five minutes from the last good answer on, of which each is fresh for as long.
    for (let minutes = 5; minutes <= 24 * 60; minutes += 5) {
      clock.advance(300)
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
      expect(await refusal(verifier.verify(goodToken())), `after ${minutes} min`).toBeUndefined()
      verified++
    }
    expect(verified).toBe(288)
  })
})

describe('a key set of 60 MB', () => {
  it('is read to 128 KiB at most, and refused', async () => {
    const { state, verifier, goodToken } = await setUp()
    const size = 60_000_000
    let sent = 0
    state.answer = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const filler = ' '.repeat(16_384)
      const more = (): void => {
        while (!response.destroyed && sent < size) {
          sent += filler.length
          if (!response.write(filler)) break
        }
        if (!response.destroyed) response.once('drain', more)
      }
      more()
    }
    const sockets: Socket[] = []
    const notice = (message: unknown): void => void sockets.push((message as { socket: Socket }).socket)
    subscribe('net.client.socket', notice)
    cleanUp.push(() => unsubscribe('net.client.socket', notice))
    expect(await refusal(verifier.verify(goodToken()))).toBe('keys_unavailable')
    const read = sockets.reduce((bytes, socket) => bytes + socket.bytesRead, 0)
    expect(read).toBeGreaterThan(65_536)
    expect(read).toBeLessThanOrEqual(131_072)
    expect(sent).toBeLessThan(size)
  })
})
