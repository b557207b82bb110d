import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { betterAuth as makeBetterAuth } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { toNodeHandler } from 'better-auth/node'
import { jwt } from 'better-auth/plugins'
import Provider from 'oidc-provider'
import { afterAll, describe, expect, it } from 'vitest'
import { betterAuth, createVerifier, oidcProvider, rfc9068 } from '../src/index.ts'
import { remoteJwks } from '../src/jwks.ts'

const servers: Server[] = []
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

/** Listens first, so that the issuer can be told its own URL. */
async function listen(): Promise<{ origin: string; serve(handler: RequestListener): void }> {
  const server = createServer()
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { origin, serve: (handler) => server.on('request', handler) }
}

describe('tokens of oidc-provider', () => {
  async function issue(scope?: string) {
    const { origin, serve } = await listen()
    const { privateKey } = generateKeyPairSync('ed25519')
    const client = { client_id: 'etl', client_secret: 'a-secret-of-this-test-only-0123456789' }
    const provider = new Provider(origin, {
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'EdDSA', use: 'sig' }] },
      clients: [
        {
          ...client,
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
          token_endpoint_auth_method: 'client_secret_post',
          id_token_signed_response_alg: 'EdDSA',
        },
      ],
      scopes: ['agents:read'],
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => ({
            scope: 'agents:read',
            audience: 'agent-api',
            accessTokenTTL: 600,
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: 'EdDSA' } },
          }),
        },
      },
    })
    serve(provider.callback())
    const response = await fetch(`${origin}/token`, {
      method: 'POST',
      body: new URLSearchParams({
        ...client,
        grant_type: 'client_credentials',
        resource: 'urn:example:agent-api',
        ...(scope && { scope }),
      }),
    })
    const { access_token: token } = (await response.json()) as { access_token: string }
    return { origin, token, keys: remoteJwks(`${origin}/jwks`) }
  }

  it('are accepted under their profile, and by the strict one when they carry a scope', async () => {
    const { origin, token, keys } = await issue('agents:read')
    for (const profile of [oidcProvider, rfc9068]) {
      const verifier = createVerifier({ issuer: origin, audience: 'agent-api', keys, profile })
      expect(await verifier.verify(token)).toMatchObject({
        issuer: origin,
        subject: 'etl',
        clientId: 'etl',
        scopes: new Set(['agents:read']),
      })
    }
    const other = createVerifier({ issuer: origin, audience: 'billing', keys, profile: oidcProvider })
    await expect(other.verify(token)).rejects.toMatchObject({ code: 'wrong_audience' })
    keys.close()
  })

  it('need the profile for one thing only: a missing scope', async () => {
    const { origin, token, keys } = await issue()
    const options = { issuer: origin, audience: 'agent-api', keys }
    expect((await createVerifier({ ...options, profile: oidcProvider }).verify(token)).scopes.size).toBe(0)
    await expect(createVerifier(options).verify(token)).rejects.toMatchObject({
      code: 'bad_claims',
      where: 'claims.scope',
    })
    keys.close()
  })
})

describe('tokens of better-auth', () => {
  it('are accepted under their profile only', async () => {
    const { origin, serve } = await listen()
    const auth = makeBetterAuth({
      baseURL: origin,
      database: memoryAdapter({ user: [], session: [], account: [], verification: [], jwks: [] }),
      secret: 'a-secret-of-this-test-only-0123456789',
      logger: { level: 'error' },
      rateLimit: { enabled: false },
      telemetry: { enabled: false },
      emailAndPassword: { enabled: true },
      plugins: [jwt({ jwks: { keyPairConfig: { alg: 'EdDSA', crv: 'Ed25519' } } })],
    })
    serve(toNodeHandler(auth))
    const signedUp = await fetch(`${origin}/api/auth/sign-up/email`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin },
      body: JSON.stringify({ name: 'Ada', email: 'ada@example.com', password: 'a-password-of-this-test-only' }),
    })
    const { user } = (await signedUp.json()) as { user: { id: string } }
    const cookie = signedUp.headers.getSetCookie().map((one) => one.split(';')[0])
    const answer = await fetch(`${origin}/api/auth/token`, { headers: { cookie: cookie.join('; ') } })
    const { token } = (await answer.json()) as { token: string }
    const keys = remoteJwks(`${origin}/api/auth/jwks`)
    const options = { issuer: origin, audience: origin, keys }
    const principal = await createVerifier({ ...options, profile: betterAuth }).verify(token)
    expect(principal).toMatchObject({ subject: user.id, issuer: origin, audience: origin })
    expect(principal.clientId).toBeUndefined()
    expect(principal.tokenId).toBeUndefined()
    await expect(createVerifier(options).verify(token)).rejects.toMatchObject({ code: 'wrong_type' })
    const elsewhere = createVerifier({ ...options, audience: 'https://other.example.com', profile: betterAuth })
    await expect(elsewhere.verify(token)).rejects.toMatchObject({ code: 'wrong_audience' })
    keys.close()
  })
})
