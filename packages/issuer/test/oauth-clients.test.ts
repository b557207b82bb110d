import { webcrypto } from 'node:crypto'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { accessTokenType, exchangeGrant, startFleet } from './exchange-fixture.ts'
import { claimsOf, type Service, startService } from './service.ts'

/** A fleet whose agent API authenticates with a key. */
async function withKey() {
  const fleet = await startFleet()
  const generated = await webcrypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])
  const keys = generated as webcrypto.CryptoKeyPair
  const { kty, crv, x } = await webcrypto.subtle.exportKey('jwk', keys.publicKey)
  await fleet.service.issuer.clients.rotateKey('agent-api', { kty, crv, x }, { overlapSeconds: 0 })
  return { fleet, keys, api: fleet.of('agent-api') }
}

let service: Service
let client: { id: string; secret: string }
beforeAll(async () => {
  service = await startService()
  client = await service.client({ audiences: ['agent-api', 'analytics-service'] })
})
afterAll(() => service.close())

describe('unmodified openid-client', () => {
  for (const [name, authentication] of [
    ['client_secret_basic', openid.ClientSecretBasic],
    ['client_secret_post', openid.ClientSecretPost],
  ] as const) {
    for (const algorithm of ['oauth2', 'oidc'] as const) {
      it(`discovers by ${algorithm}, gets a token, introspects and revokes it with ${name}`, async () => {
        const config = await openid.discovery(
          new URL(service.url),
          client.id,
          undefined,
          authentication(client.secret),
          { execute: [openid.allowInsecureRequests], algorithm },
        )
        const tokens = await openid.clientCredentialsGrant(config, { audience: 'agent-api', scope: 'agents:read' })
        expect(tokens).toMatchObject({ token_type: 'bearer', expires_in: 600, scope: 'agents:read' })
        expect(await openid.tokenIntrospection(config, tokens.access_token)).toMatchObject({
          active: true,
          aud: 'agent-api',
          sub: client.id,
        })
        await openid.tokenRevocation(config, tokens.access_token)
        expect(await openid.tokenIntrospection(config, tokens.access_token)).toEqual({ active: false })
      })
    }
  }

  it('authenticates with private_key_jwt, and exchanges', async () => {
    const { fleet, keys, api } = await withKey()
    try {
      const config = await openid.discovery(
        new URL(fleet.service.url),
        api.id,
        undefined,
        openid.PrivateKeyJwt(keys.privateKey),
        { execute: [openid.allowInsecureRequests], algorithm: 'oauth2' },
      )
      expect(config.serverMetadata().token_endpoint_auth_methods_supported).toContain('private_key_jwt')
      const own = await openid.clientCredentialsGrant(config, { audience: 'agent-api', scope: 'jobs:run' })
      const tokens = await openid.genericGrantRequest(config, exchangeGrant, {
        subject_token: own.access_token,
        subject_token_type: accessTokenType,
        audience: 'billing-worker',
      })
      expect(tokens).toMatchObject({ token_type: 'bearer', issued_token_type: accessTokenType, scope: 'jobs:run' })
      expect(claimsOf(tokens.access_token)).toMatchObject({ aud: 'billing-worker', act: { sub: api.id } })
    } finally {
      await fleet.service.close()
    }
  })

  it('reads a refusal as a typed error', async () => {
    const config = await openid.discovery(new URL(service.url), client.id, client.secret, undefined, {
      execute: [openid.allowInsecureRequests],
      algorithm: 'oauth2',
    })
    await expect(openid.clientCredentialsGrant(config, { audience: 'nowhere' })).rejects.toMatchObject({
      error: 'invalid_target',
    })
  })
})

describe('unmodified oauth4webapi', () => {
  const insecure = { [oauth.allowInsecureRequests]: true }

  it('discovers, gets a token, introspects and revokes it', async () => {
    const url = new URL(service.url)
    const server = await oauth.processDiscoveryResponse(
      url,
      await oauth.discoveryRequest(url, { ...insecure, algorithm: 'oauth2' }),
    )
    const me: oauth.Client = { client_id: client.id }
    const authentication = oauth.ClientSecretBasic(client.secret)
    const parameters = { audience: 'analytics-service' }
    const tokens = await oauth.processClientCredentialsResponse(
      server,
      me,
      await oauth.clientCredentialsGrantRequest(server, me, authentication, parameters, insecure),
    )
    expect(claimsOf(tokens.access_token)).toMatchObject({
      aud: 'analytics-service',
      scope: 'reports:read reports:write',
    })
    const ask = async (): Promise<oauth.IntrospectionResponse> =>
      oauth.processIntrospectionResponse(
        server,
        me,
        await oauth.introspectionRequest(server, me, authentication, tokens.access_token, insecure),
      )
    expect((await ask()).active).toBe(true)
    await oauth.processRevocationResponse(
      await oauth.revocationRequest(server, me, authentication, tokens.access_token, insecure),
    )
    expect(await ask()).toEqual({ active: false })
  })

  it('authenticates with private_key_jwt, and exchanges', async () => {
    const { fleet, keys, api } = await withKey()
    try {
      const url = new URL(fleet.service.url)
      const server = await oauth.processDiscoveryResponse(
        url,
        await oauth.discoveryRequest(url, { ...insecure, algorithm: 'oauth2' }),
      )
      expect(server.grant_types_supported).toContain(exchangeGrant)
      const me: oauth.Client = { client_id: api.id }
      const authentication = oauth.PrivateKeyJwt(keys.privateKey)
      const parameters = {
        subject_token: await fleet.signIn(),
        subject_token_type: accessTokenType,
        resource: 'https://billing.example.com',
        scope: 'jobs:run',
      }
      const tokens = await oauth.processGenericTokenEndpointResponse(
        server,
        me,
        await oauth.genericTokenEndpointRequest(server, me, authentication, exchangeGrant, parameters, insecure),
      )
      expect(tokens).toMatchObject({ token_type: 'bearer', issued_token_type: accessTokenType, scope: 'jobs:run' })
      expect(claimsOf(tokens.access_token)).toMatchObject({ sub: fleet.userId, act: { sub: api.id } })
      await expect(
        oauth.processGenericTokenEndpointResponse(
          server,
          me,
          await oauth.genericTokenEndpointRequest(
            server,
            me,
            authentication,
            exchangeGrant,
            { ...parameters, subject_token: 'nonsense' },
            insecure,
          ),
        ),
      ).rejects.toMatchObject({ error: 'invalid_request' })
    } finally {
      await fleet.service.close()
    }
  })

  it('verifies the token as RFC 9068 says, with the keys of the JWKS', async () => {
    const { body } = await service.post(
      '/oauth/token',
      { grant_type: 'client_credentials', audience: 'agent-api' },
      { authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}` },
    )
    const server: oauth.AuthorizationServer = {
      issuer: service.url,
      jwks_uri: `${service.url}/.well-known/jwks.json`,
    }
    const request = new Request('http://api.test/agents', { headers: { authorization: `Bearer ${body.access_token}` } })
    const claims = await oauth.validateJwtAccessToken(server, request, 'agent-api', insecure)
    expect(claims.client_id).toBe(client.id)
  })
})
