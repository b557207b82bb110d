import { generateKeyPairSync, type JsonWebKey } from 'node:crypto'
import * as v2 from '@modelcontextprotocol/client'
import * as extensions from '@modelcontextprotocol/sdk/client/auth-extensions.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { Rig, Sdk } from '../src/rig.ts'

/** What went over the wire, in order. */
export interface Wire {
  readonly fetch: typeof fetch
  /** What was asked of the token endpoint. */
  readonly tokenRequests: Record<string, string>[]
  /** Whatever a header said about who asks, at the token endpoint. */
  readonly schemes: (string | undefined)[]
  /** The scopes of the tokens that were got. */
  readonly granted: string[]
  /** Status codes of the MCP endpoint's answers to POST. */
  readonly statuses: number[]
  readonly urls: string[]
}

/** The platform's `fetch`, watched. */
export function watchWire(): Wire {
  const wire = { tokenRequests: [], schemes: [], granted: [], statuses: [], urls: [] } as Omit<Wire, 'fetch'>
  return {
    ...wire,
    async fetch(input, init) {
      const request = new Request(input, init)
      wire.urls.push(request.url)
      const isToken = request.url.endsWith('/oauth/token')
      if (isToken) {
        wire.tokenRequests.push(Object.fromEntries(new URLSearchParams(await request.clone().text())))
        wire.schemes.push(request.headers.get('authorization')?.split(' ')[0])
      }
      const response = await fetch(request)
      if (isToken && response.ok) {
        const { scope } = (await response.clone().json()) as { scope: string }
        wire.granted.push(scope)
      }
      if (request.method === 'POST' && request.url.endsWith('/mcp')) wire.statuses.push(response.status)
      return response
    },
  }
}

export type Credential =
  | { readonly id: string; readonly secret: string }
  | { readonly id: string; readonly privateKey: JsonWebKey }

export interface Connected {
  readonly client: Client | v2.Client
  /** The text that a tool answers with. */
  call(name: string): Promise<string>
  tools(): Promise<string[]>
}

export type Connect = (rig: Rig, credential: Credential, wire: Wire, scope?: string) => Promise<Connected>

/** The clients as their makers publish them; ours is the fetch only, which changes nothing. */
export const connects: Record<string, { readonly server: Sdk; readonly connect: Connect }> = {
  'SDK 1.x, protocol 2025-11-25': {
    server: 'v1',
    async connect(rig, credential, wire, scope) {
      const transport = new StreamableHTTPClientTransport(new URL(rig.servers.v1.endpoint), {
        authProvider: providerOf(extensions, rig.issuer, credential, scope),
        fetch: wire.fetch,
      })
      const client = new Client({ name: 'test', version: '1.0.0' })
      // The SDK's own types disagree about `sessionId` under exactOptionalPropertyTypes.
      await client.connect(transport as Parameters<Client['connect']>[0])
      return connected(client)
    },
  },
  'SDK 2.x, protocol 2026-07-28': {
    server: 'v2',
    connect: (rig, credential, wire, scope) => connectV2(rig, credential, wire, scope, { mode: { pin: '2026-07-28' } }),
  },
  'SDK 2.x, protocol 2025-11-25': {
    server: 'v2',
    connect: (rig, credential, wire, scope) => connectV2(rig, credential, wire, scope, { mode: 'legacy' }),
  },
}

async function connectV2(
  rig: Rig,
  credential: Credential,
  wire: Wire,
  scope: string | undefined,
  versionNegotiation: NonNullable<v2.ClientOptions['versionNegotiation']>,
): Promise<Connected> {
  const transport = new v2.StreamableHTTPClientTransport(new URL(rig.servers.v2.endpoint), {
    authProvider: providerOf(v2, rig.issuer, credential, scope),
    fetch: wire.fetch,
  })
  const client = new v2.Client({ name: 'test', version: '1.0.0' }, { versionNegotiation })
  await client.connect(transport)
  return connected(client)
}

function providerOf<Secret, Key>(
  sdk: {
    ClientCredentialsProvider: new (options: ProviderOptions & { clientSecret: string }) => Secret
    PrivateKeyJwtProvider: new (options: ProviderOptions & { privateKey: JsonWebKey; algorithm: string }) => Key
  },
  expectedIssuer: string,
  credential: Credential,
  scope: string | undefined,
): Secret | Key {
  const options = { clientId: credential.id, expectedIssuer, ...(scope === undefined ? {} : { scope }) }
  return 'secret' in credential
    ? new sdk.ClientCredentialsProvider({ ...options, clientSecret: credential.secret })
    : new sdk.PrivateKeyJwtProvider({ ...options, privateKey: credential.privateKey, algorithm: 'EdDSA' })
}

interface ProviderOptions {
  clientId: string
  expectedIssuer: string
  scope?: string
}

function connected(client: Client | v2.Client): Connected {
  return {
    client,
    async call(name) {
      const { content } = (await client.callTool({ name, arguments: {} })) as { content: { text?: string }[] }
      return content[0]?.text ?? ''
    },
    async tools() {
      const { tools } = await client.listTools()
      return tools.map(({ name }) => name)
    },
  }
}

export function newKey(): { readonly publicKey: JsonWebKey; readonly privateKey: JsonWebKey } {
  const pair = generateKeyPairSync('ed25519')
  return { publicKey: pair.publicKey.export({ format: 'jwk' }), privateKey: pair.privateKey.export({ format: 'jwk' }) }
}
