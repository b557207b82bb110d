import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { claimsOf, type Service, startService } from './service.ts'

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
