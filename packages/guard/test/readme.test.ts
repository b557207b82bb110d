import { expect, it } from 'vitest'
import * as http from '../src/http.ts'
import * as front from '../src/index.ts'
import { makeKey, makeToken } from './fixtures.ts'
import { examples, type RunningExample, replaced, run, serve } from './readme-examples.ts'
import { startIssuer } from './stand-in-issuer.ts'

it('shows examples in its README that run', async () => {
  const key = await makeKey()
  const issuer = await startIssuer([key.jwk])
  issuer.answer('/.well-known/oauth-authorization-server', {
    body: { issuer: issuer.origin, jwks_uri: `${issuer.origin}/keys` },
  })
  const [first = '', second = ''] = examples()
  const here = (example: string) => replaced(example, 'https://auth.example.com', issuer.origin)
  const now = Math.floor(Date.now() / 1000)
  const token = makeToken(key, { iss: issuer.origin, iat: now, exp: now + 300 })
  let server: RunningExample | undefined
  const guards: front.Guard[] = []
  const createGuard = (options: front.GuardOptions) => {
    const guard = front.createGuard(options)
    guards.push(guard)
    return guard
  }
  try {
    const refused: unknown[] = []
    const names = { createGuard, reply: (...said: unknown[]) => refused.push(said), hangUp: () => {} }
    await run(here(first), { ...names, token })
    expect(refused).toEqual([])
    await run(here(first), {
      ...names,
      token: makeToken(key, { iss: issuer.origin, iat: now, exp: now + 300, scope: '' }),
    })
    expect(refused).toEqual([['insufficient_scope', ['agents:read']]])

    const [third = ''] = examples('createGuard')
    await run(here(third), { ...names, getToken: async () => token, log: () => {} })

    server = await serve(here(second), { createGuard, ...http })
    const good = await fetch(server.url, { headers: { authorization: `Bearer ${token}` } })
    expect([good.status, await good.text()]).toEqual([200, 'hello user_1'])
    const bad = await fetch(server.url)
    expect([bad.status, bad.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    expect(await bad.json()).toEqual({ error: 'unauthorized', error_description: 'An access token is needed' })
  } finally {
    for (const guard of guards) await guard.close()
    await server?.close()
    await issuer.close()
  }
})
