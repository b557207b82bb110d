import { randomBytes } from 'node:crypto'
import { betterAuth } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { toNodeHandler } from 'better-auth/node'
import { jwt } from 'better-auth/plugins'
import { cookieJar } from './cookies.ts'
import { listenOnLoopback } from './listen.ts'

export interface BetterAuthIssuer {
  readonly issuer: string
  readonly jwksUrl: string
  /** The token of a user who has just signed up, from `/api/auth/token`, for the audience `agent-api`. */
  userToken(): Promise<string>
  /** What the plugin signs for the server's own code: `auth.api.signJWT`. */
  sign(payload: Readonly<Record<string, unknown>>): Promise<string>
  close(): Promise<void>
}

/** better-auth with its `jwt` plugin (Ed25519), in memory. Users get the scope `agents:read`. */
export async function startBetterAuth(): Promise<BetterAuthIssuer> {
  const { server, origin, close } = await listenOnLoopback()
  const auth = betterAuth({
    baseURL: origin,
    secret: randomBytes(32).toString('base64url'),
    database: memoryAdapter({ user: [], session: [], account: [], verification: [], jwks: [] }),
    logger: { level: 'error' },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    emailAndPassword: { enabled: true },
    plugins: [
      jwt({
        jwks: { keyPairConfig: { alg: 'EdDSA', crv: 'Ed25519' } },
        jwt: {
          audience: 'agent-api',
          expirationTime: '10m',
          definePayload: ({ user }) => ({ email: user.email, scope: 'agents:read' }),
        },
      }),
    ],
  })
  const answer = toNodeHandler(auth)
  server.on('request', (request, response) => {
    answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)))
  })

  return {
    issuer: origin,
    jwksUrl: `${origin}/api/auth/jwks`,
    close,
    async userToken() {
      const jar = cookieJar()
      const name = randomBytes(6).toString('hex')
      const signedUp = await fetch(`${origin}/api/auth/sign-up/email`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin },
        body: JSON.stringify({ name, email: `${name}@example.com`, password: randomBytes(18).toString('base64url') }),
      })
      if (!signedUp.ok) throw new Error(`The sign-up answered ${signedUp.status}: ${await signedUp.text()}`)
      jar.keep(signedUp)
      const response = await fetch(`${origin}/api/auth/token`, { headers: { cookie: jar.header() } })
      const { token } = (await response.json()) as { readonly token: string }
      return token
    },
    async sign(payload) {
      const { token } = await auth.api.signJWT({ body: { payload: { ...payload } } })
      return token
    },
  }
}
