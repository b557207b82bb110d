import { generateKeyPairSync, sign } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import { createGuard } from '@countersign/guard'
import {
  type AccessTokenClaims,
  createVerifier,
  jwkThumbprint,
  type PublicJwk,
  signAccessTokenSync,
  staticKeys,
} from '@countersign/tokens'
import { type AgentApi, type AgentApiOptions, consumer, createAgentApi } from '../src/index.ts'

export const everyScope = Object.keys(consumer.scopes).join(' ')

const pair = generateKeyPairSync('ed25519')
const exported = pair.publicKey.export({ format: 'jwk' })
const kid = await jwkThumbprint({ ...exported } as unknown as PublicJwk)
export const jwks = { keys: [{ ...exported, kid, alg: 'EdDSA', use: 'sig' }] }
const signSync = (data: Uint8Array): Uint8Array => sign(null, data, pair.privateKey)
const signer = { kid, algorithm: 'EdDSA' as const, signSync, sign: async (data: Uint8Array) => signSync(data) }

export const issuer = 'https://auth.example.com'

export function makeToken(change: Partial<AccessTokenClaims> = {}): string {
  const now = Math.floor(Date.now() / 1000)
  return signAccessTokenSync(
    {
      iss: issuer,
      sub: 'ada',
      aud: consumer.audience,
      iat: now,
      exp: now + consumer.accessTokenLifeSeconds,
      jti: crypto.randomUUID(),
      client_id: 'web',
      scope: everyScope,
      ...change,
    },
    signer,
  )
}

export async function serve(
  handler: Parameters<typeof createServer>[1],
): Promise<{ server: Server; origin: string; close(): Promise<void> }> {
  const server = createServer(handler)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    server,
    origin: `http://127.0.0.1:${address.port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}

export interface World extends AgentApi {
  readonly origin: string
  readonly faults: unknown[]
  call(
    method: string,
    path: string,
    options?: { token?: string | undefined; body?: unknown; raw?: RequestInit },
  ): Promise<Answer>
  close(): Promise<void>
}

export async function startApi(options: Partial<AgentApiOptions> = {}): Promise<World> {
  const verifier = createVerifier({
    issuer,
    audience: consumer.audience,
    keys: staticKeys(jwks),
    maxLifeSeconds: consumer.accessTokenLifeSeconds,
  })
  const faults: unknown[] = []
  const onFault = (error: unknown): void => {
    faults.push(error)
  }
  const api = createAgentApi({ guard: createGuard({ verifier, issuer, consumer }), onFault, ...options })
  const { server, origin, close } = await serve(api.app)
  api.sockets.mount(server, '/chat')
  return {
    ...api,
    origin,
    faults,
    async close() {
      await api.sockets.close({ graceMs: 0 })
      await close()
    },
    async call(method, path, { token, body, raw } = {}) {
      const response = await fetch(origin + path, {
        method,
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...raw,
      })
      const text = await response.text()
      return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) }
    },
  }
}
