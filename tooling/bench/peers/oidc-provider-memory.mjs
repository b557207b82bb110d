// oidc-provider as it comes: its in-memory adapter, client credentials, JWT access tokens signed with Ed25519.

import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import Provider from 'oidc-provider'
import { ready } from './ready.mjs'

const { privateKey } = generateKeyPairSync('ed25519')
const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
const issuer = `http://127.0.0.1:${port}`
const client = { client_id: 'bench', client_secret: 'a-secret-of-the-benchmark-only-0123456789' }

const provider = new Provider(issuer, {
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
server.on('request', provider.callback())
ready(server, {
  url: `${issuer}/token`,
  ...client,
  resource: 'urn:example:agent-api',
})
