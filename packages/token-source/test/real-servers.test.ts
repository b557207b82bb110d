import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { defineConsumers } from '@countersign/consumers'
import { createIssuer } from '@countersign/issuer'
import { issuerRoutes } from '@countersign/issuer/express'
import { memoryIssuerStores } from '@countersign/issuer/testing'
import { createKeyRing } from '@countersign/keys'
import { memoryKeyRingStore } from '@countersign/keys/testing'
import Provider from 'oidc-provider'
import { afterAll, describe, expect, it } from 'vitest'
import { createTokenSource } from '../src/index.ts'

const servers: Server[] = []
afterAll(async () => {
  for (const server of servers) {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})

async function listen(): Promise<{ origin: string; serve(handler: RequestListener): void }> {
  const server = createServer()
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { origin, serve: (handler) => server.on('request', handler) }
}

const claimsOf = (token: string): unknown =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'))

describe('at oidc-provider', () => {
  async function provider(client: Record<string, unknown>): Promise<string> {
    const { origin, serve } = await listen()
    const { privateKey } = generateKeyPairSync('ed25519')
    const made = new Provider(origin, {
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'EdDSA', use: 'sig' }] },
      clients: [
        {
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
          id_token_signed_response_alg: 'EdDSA',
          ...client,
        },
      ],
      scopes: ['agents:read'],
      enabledJWA: { clientAuthSigningAlgValues: ['EdDSA', 'Ed25519', 'ES256', 'PS256', 'RS256'] },
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
    serve(made.callback())
    return origin
  }
  const grant = { type: 'client_credentials', resource: 'https://api.example.com', scope: 'agents:read' } as const

  it.each(['client_secret_basic', 'client_secret_post'] as const)('with a secret by %s', async (method) => {
    // Signs that form-encoding changes, since RFC 6749 section 2.3.1 asks for it in the header as well.
    const secret = 'a secret:of+this%test/only-0123456789'
    const issuer = await provider({ client_id: 'etl', client_secret: secret, token_endpoint_auth_method: method })
    const source = createTokenSource({ issuer, client: { id: 'etl', secret, method }, grant, patienceMs: 0 })
    expect(claimsOf(await source.getToken())).toMatchObject({ aud: 'agent-api' })
    source.close()
  })

  it.each([
    ['Ed25519', 'EdDSA', () => generateKeyPairSync('ed25519')],
    ['P-256', 'ES256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['RSA', 'PS256', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['RSA', 'RS256', () => generateKeyPairSync('rsa', { modulusLength: 2048 })],
  ])('with a %s key for %s', async (_name, alg, make) => {
    const { privateKey, publicKey } = make()
    const issuer = await provider({
      client_id: 'etl',
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: alg,
      jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1', alg, use: 'sig' }] },
    })
    const jwk = {
      ...privateKey.export({ format: 'jwk' }),
      kty: alg === 'EdDSA' ? 'OKP' : alg === 'ES256' ? 'EC' : 'RSA',
      alg,
      kid: 'k1',
    }
    const source = createTokenSource({ issuer, client: { id: 'etl', privateKey: jwk }, grant, patienceMs: 0 })
    expect(claimsOf(await source.getToken())).toMatchObject({ aud: 'agent-api', client_id: 'etl' })
    source.close()
  })

  it.each([
    ['a public key', { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }],
    ['another curve', { kty: 'EC', crv: 'P-521' }],
    ['RSA without its algorithm', { kty: 'RSA' }],
    ['a shared secret', { kty: 'oct', k: 'c2VjcmV0LXRoYXQtbXVzdC1ub3QtbGVhaw' }],
  ])('%s is no private key', async (_name, privateKey) => {
    const issuer = await provider({ client_id: 'etl', client_secret: 'x'.repeat(40) })
    const source = createTokenSource({ issuer, client: { id: 'etl', privateKey }, grant, patienceMs: 0 })
    const error: unknown = await source.getToken().catch((caught: unknown) => caught)
    expect(error).toMatchObject({ code: 'bad_option' })
    expect(JSON.stringify([String(error), error])).not.toContain('c2VjcmV0')
    source.close()
  })
})

describe('at the token service', () => {
  it('gets a token, notices a wrong secret', async () => {
    const { origin, serve } = await listen()
    const kek = { id: 'kek', secret: new Uint8Array(randomBytes(32)) }
    const ring = await createKeyRing({
      store: memoryKeyRingStore(),
      kek: { current: async () => kek, find: async () => kek },
      issuer: origin,
      policy: { accessTokenLifeSeconds: 600 },
      scheduler: false,
    })
    const issuer = createIssuer({
      issuer: origin,
      rings: [ring],
      consumers: defineConsumers({ 'agent-api': { scopes: ['agents:read'], obtainedBy: 'client-credentials' } }),
      stores: memoryIssuerStores(),
      audit: { record: async () => undefined },
    })
    serve(issuerRoutes(issuer))
    const { client, secret } = await issuer.clients.add({
      name: 'etl',
      audiences: ['agent-api'],
      grants: ['client_credentials'],
    })
    const options = {
      issuer: origin,
      grant: { type: 'client_credentials', audience: 'agent-api' },
      patienceMs: 0,
    } as const
    const source = createTokenSource({ ...options, client: { id: client.id, secret: secret ?? '' } })
    expect(claimsOf(await source.getToken())).toMatchObject({ aud: 'agent-api', client_id: client.id })
    const wrong = createTokenSource({ ...options, client: { id: client.id, secret: 'x'.repeat(43) } })
    await expect(wrong.getToken()).rejects.toMatchObject({ code: 'client_refused' })
    source.close()
    await issuer.close()
    await ring.close()
  })
})
