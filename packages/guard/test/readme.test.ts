import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, type Server } from 'node:http'
import { expect, it } from 'vitest'
import * as http from '../src/http.ts'
import * as front from '../src/index.ts'
import { makeKey, makeToken } from './fixtures.ts'
import { startIssuer } from './stand-in-issuer.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
const [first = '', second = ''] = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')
const AsyncFunction = (async () => {}).constructor as new (
  ...args: string[]
) => (...args: unknown[]) => Promise<unknown>

/** Runs an example as it stands, but for its imports and the issuer's address. */
function run(example: string, issuer: string, names: Record<string, unknown>): Promise<unknown> {
  const body = example.replaceAll(/^import .*$/gm, '').replaceAll('https://auth.example.com', issuer)
  return new AsyncFunction(...Object.keys(names), body)(...Object.values(names))
}

it('shows examples in its README that run', async () => {
  const key = await makeKey()
  const issuer = await startIssuer([key.jwk])
  issuer.answer('/.well-known/oauth-authorization-server', {
    body: { issuer: issuer.origin, jwks_uri: `${issuer.origin}/keys` },
  })
  const now = Math.floor(Date.now() / 1000)
  const token = makeToken(key, { iss: issuer.origin, iat: now, exp: now + 300 })
  let server: Server | undefined
  const guards: front.Guard[] = []
  const createGuard = (options: front.GuardOptions) => {
    const guard = front.createGuard(options)
    guards.push(guard)
    return guard
  }
  try {
    const refused: unknown[] = []
    const names = { createGuard, reply: (...said: unknown[]) => refused.push(said), hangUp: () => {} }
    await run(first, issuer.origin, { ...names, token })
    expect(refused).toEqual([])
    await run(first, issuer.origin, {
      ...names,
      token: makeToken(key, { iss: issuer.origin, iat: now, exp: now + 300, scope: '' }),
    })
    expect(refused).toEqual([['insufficient_scope', ['agents:read']]])

    const listening = new Promise<string>((resolve) => {
      const create = (listener: RequestListener) => {
        server = createServer(listener)
        const { listen } = server
        const report = () => {
          const address = server?.address()
          if (typeof address === 'object') resolve(`http://127.0.0.1:${address?.port}`)
        }
        return Object.assign(server, { listen: () => Reflect.apply(listen, server, [0, '127.0.0.1', report]) })
      }
      void run(second, issuer.origin, { createGuard, ...http, createServer: create })
    })
    const url = await listening
    const good = await fetch(url, { headers: { authorization: `Bearer ${token}` } })
    expect([good.status, await good.text()]).toEqual([200, 'hello user_1'])
    const bad = await fetch(url)
    expect([bad.status, bad.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect(await bad.json()).toEqual({ error: 'unauthorized', error_description: 'An access token is needed' })
  } finally {
    for (const guard of guards) await guard.close()
    server?.closeAllConnections()
    server?.close()
    await issuer.close()
  }
})
