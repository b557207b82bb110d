// better-auth with its OAuth provider plugin on SQLite (WAL, as fast as it goes by default), JWTs signed with Ed25519.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { oauthProvider } from '@better-auth/oauth-provider'
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { toNodeHandler } from 'better-auth/node'
import { jwt } from 'better-auth/plugins'
import Database from 'better-sqlite3'
import { ready } from './ready.mjs'

const resource = 'https://agent-api.example'
const folder = mkdtempSync(join(process.env.BENCH_DIR ?? '/var/tmp', 'bench-'))
const database = new Database(join(folder, 'better-auth.db'))
database.pragma('journal_mode = WAL')
const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
const baseURL = `http://127.0.0.1:${port}`

const auth = betterAuth({
  baseURL,
  database,
  secret: 'a-secret-of-the-benchmark-only-0123456789',
  logger: { level: 'error' },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  emailAndPassword: { enabled: true },
  // The token endpoint's JWTs are made by this plugin.
  disabledPaths: ['/token'],
  plugins: [
    jwt({ jwks: { keyPairConfig: { alg: 'EdDSA', crv: 'Ed25519' } } }),
    oauthProvider({
      loginPage: '/login',
      consentPage: '/consent',
      scopes: ['openid', 'agents:read'],
      resources: [{ identifier: resource, allowedScopes: ['agents:read'], accessTokenTtl: 600 }],
      enforcePerClientResources: false,
      silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true },
      clientPrivileges: () => true,
    }),
  ],
})
const migrations = await getMigrations(auth.options)
await migrations.runMigrations()
server.on('request', toNodeHandler(auth))

const signedUp = await auth.api.signUpEmail({
  body: { name: 'bench', email: 'bench@example.com', password: 'a-password-of-the-benchmark-only' },
  returnHeaders: true,
})
const cookie = signedUp.headers
  .getSetCookie()
  .map((each) => each.split(';')[0])
  .join('; ')
const client = /** @type {any} */ (
  await auth.api.adminCreateOAuthClient({
    headers: new Headers({ cookie }),
    body: {
      client_name: 'bench',
      redirect_uris: ['https://client.example/unused'],
      grant_types: ['client_credentials'],
      response_types: [],
      token_endpoint_auth_method: 'client_secret_post',
      client_credentials_scopes: ['agents:read'],
    },
  })
)
ready(
  {
    close: () => {
      server.closeAllConnections()
      database.close()
      rmSync(folder, { recursive: true })
    },
  },
  {
    url: `${baseURL}/api/auth/oauth2/token`,
    client_id: client.client_id,
    client_secret: client.client_secret,
    resource,
  },
)
