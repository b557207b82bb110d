import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import Provider from 'oidc-provider'
import { cookieJar } from './cookies.ts'
import { listenOnLoopback } from './listen.ts'
import { records } from './records.ts'

export interface OidcProviderIssuer {
  readonly issuer: string
  readonly jwksUrl: string
  /** A token of the client credentials grant: a JWT for a resource, opaque without one. */
  clientToken(wish?: { readonly resource?: string; readonly scope?: string }): Promise<string>
  /** What a user who signs in gets: authorization code, PKCE, a nonce, an access token for the resource. */
  signIn(wish: { readonly resource: string; readonly scope: string }): Promise<SignedIn>
  close(): Promise<void>
}

export interface SignedIn {
  readonly accessToken: string
  readonly idToken: string
}

export interface OidcProviderOptions {
  /** How access tokens are signed. */
  readonly algorithm: 'RS256' | 'EdDSA'
}

const scopes = 'agents:read agents:write'
const redirectUri = 'https://client.example/callback'
const machine = { client_id: 'machine', client_secret: 'a-secret-of-the-tests-only-0123456789' }

/**
 * oidc-provider, with what it keeps in memory. A resource `urn:example:NAME` has the audience `NAME` and the scopes
 * `agents:read` and `agents:write`; users sign in as `user_1`, without a page.
 */
export async function startOidcProvider({ algorithm }: OidcProviderOptions): Promise<OidcProviderIssuer> {
  const { server, origin, close } = await listenOnLoopback()
  const provider = new Provider(origin, {
    adapter: records(),
    jwks: { keys: [signingKey('RS256'), signingKey('EdDSA')] },
    cookies: { keys: [randomBytes(32).toString('base64url')] },
    clients: [
      {
        ...machine,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: 'client_secret_post',
      },
      {
        client_id: 'web',
        grant_types: ['authorization_code'],
        redirect_uris: [redirectUri],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      },
    ],
    // Said outright, since oidc-provider comments on every default that it uses.
    ttl: { AccessToken: 600, ClientCredentials: 600, IdToken: 600, Grant: 600, Interaction: 600, Session: 600 },
    findAccount: (_ctx, accountId) => ({ accountId, claims: () => ({ sub: accountId }) }),
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    async loadExistingGrant({ oidc }) {
      const { client, session, params } = oidc
      const grant = new provider.Grant({ clientId: client?.clientId ?? '', accountId: session?.accountId ?? '' })
      grant.addOIDCScope('openid')
      grant.addResourceScope(String(params?.resource), scopes)
      await grant.save()
      return grant
    },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_ctx, resource) => ({
          scope: scopes,
          audience: resource.replace('urn:example:', ''),
          accessTokenTTL: 600,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: algorithm } },
        }),
      },
    },
  })
  const answer = provider.callback()
  server.on('request', (request, response) => {
    const interaction = request.url?.startsWith('/interaction/') === true
    if (!interaction) return void answer(request, response)
    const finished = provider.interactionFinished(request, response, { login: { accountId: 'user_1' } })
    finished.catch((error: unknown) => response.writeHead(500).end(String(error)))
  })

  const redeem = async (form: Record<string, string>): Promise<Record<string, unknown>> => {
    const response = await fetch(`${origin}/token`, { method: 'POST', body: new URLSearchParams(form) })
    const answered = (await response.json()) as Record<string, unknown>
    if (!response.ok) throw new Error(`The token endpoint says ${JSON.stringify(answered)}`)
    return answered
  }

  return {
    issuer: origin,
    jwksUrl: `${origin}/jwks`,
    close,
    async clientToken(wish = {}) {
      return String((await redeem({ grant_type: 'client_credentials', ...machine, ...wish })).access_token)
    },
    async signIn({ resource, scope }) {
      const verifier = randomBytes(32).toString('base64url')
      const authorization = new URL('/auth', origin)
      authorization.search = new URLSearchParams({
        client_id: 'web',
        response_type: 'code',
        redirect_uri: redirectUri,
        scope: `openid ${scope}`,
        resource,
        nonce: randomBytes(16).toString('base64url'),
        code_challenge_method: 'S256',
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
      }).toString()
      const code = await followToCode(authorization)
      const form = { grant_type: 'authorization_code', client_id: 'web', redirect_uri: redirectUri, resource }
      const answered = await redeem({ ...form, code, code_verifier: verifier })
      return { accessToken: String(answered.access_token), idToken: String(answered.id_token) }
    },
  }
}

/** Goes where a browser would be sent until it is sent back to the client. */
async function followToCode(start: URL): Promise<string> {
  const jar = cookieJar()
  let url = start
  for (let steps = 0; steps < 8; steps += 1) {
    const response = await fetch(url, { redirect: 'manual', headers: { cookie: jar.header() } })
    jar.keep(response)
    const location = response.headers.get('location')
    if (location === null) throw new Error(`${url.pathname} answered ${response.status}: ${await response.text()}`)
    url = new URL(location, url)
    const code = url.href.startsWith(redirectUri) ? url.searchParams.get('code') : null
    if (code !== null) return code
  }
  throw new Error('The sign-in does not come back to the client.')
}

function signingKey(algorithm: OidcProviderOptions['algorithm']) {
  const { privateKey } =
    algorithm === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { ...privateKey.export({ format: 'jwk' }), alg: algorithm, use: 'sig' }
}
