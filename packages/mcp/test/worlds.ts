import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import type { GuardedHttp, GuardMcpOptions, HttpOptions } from '../src/index.ts'
import * as v1 from '../src/v1/index.ts'
import * as v2 from '../src/v2/index.ts'
import { makeGuard, type Scope, serving, text } from './fixtures.ts'

export type Options = Partial<GuardMcpOptions<Scope, 'tester'>>

/** What handlers saw, in order. */
export const seen: unknown[] = []

const path = z.object({ path: z.string() })
const review = z.object({ language: z.string() })
const contents = (uri: URL, words: string) => ({ contents: [{ uri: uri.href, text: words }] })
const said = (words: string) => ({
  messages: [{ role: 'user' as const, content: { type: 'text' as const, text: words } }],
})

export function buildV1(options: Options = {}, factory = () => new McpServerV1({ name: 'coder', version: '1.0.0' })) {
  return v1
    .guardMcp<Scope, 'tester'>(factory, { guard: makeGuard(), ...options })
    .tool('write', { scopes: ['code:write'], inputSchema: path }, (args, { principal }) => {
      seen.push(['write', args.path, principal.subject])
      return text(`${principal.subject} wrote ${args.path}`)
    })
    .tool('read', { scopes: ['code:read'], description: 'Reads' }, () => text('read'))
    .tool('copy', { scopes: ['code:read', 'code:write'] }, () => text('copied'))
    .tool('run', { scopes: ['code:run'] }, () => text('ran'))
    .tool('whoami', { scopes: 'token' }, (_, { principal, traceId }) => text(`${principal.clientId} ${traceId}`))
    .tool('version', { scopes: 'public' }, (_, { principal }) => text(`1.0.0 for ${principal?.subject}`))
    .tool('delegate', { scopes: ['code:read'] }, async (_, call) => text(await call.tokenFor('tester')))
    .tool('look', { scopes: ['code:read'] }, (_, call) => {
      seen.push(call)
      return text('looked')
    })
    .tool('wait', { scopes: ['code:read'] }, async (_, { signal, mcp }) => {
      seen.push(signal)
      await mcp.sendNotification({ method: 'notifications/progress', params: { progressToken: 1, progress: 1 } })
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      return text('too late')
    })
    .resource('file:///readme', { scopes: ['code:read'] }, (uri) => contents(uri, 'readme'))
    .resource('file:///open', { scopes: 'public' }, (uri) => contents(uri, 'open'))
    .resourceTemplate(
      'file:///src/{name}',
      {
        scopes: ['code:write'],
        list: () => [
          { uri: 'file:///src/a', name: 'a' },
          { uri: 'file:///elsewhere', name: 'elsewhere' },
        ],
        complete: { name: (value) => [`${value}.ts`] },
      },
      (uri, { name }) => contents(uri, `source of ${name}`),
    )
    .prompt('review', { scopes: ['code:read'], argsSchema: review.shape }, (args) => said(`review ${args.language}`))
    .prompt('hello', { scopes: 'public' }, () => said('hello'))
}

export function buildV2(options: Options = {}, factory = () => new McpServer({ name: 'coder', version: '1.0.0' })) {
  return v2
    .guardMcp<Scope, 'tester'>(factory, { guard: makeGuard(), ...options })
    .tool('write', { scopes: ['code:write'], inputSchema: path }, (args, { principal }) => {
      seen.push(['write', args.path, principal.subject])
      return text(`${principal.subject} wrote ${args.path}`)
    })
    .tool('read', { scopes: ['code:read'], description: 'Reads' }, () => text('read'))
    .tool('copy', { scopes: ['code:read', 'code:write'] }, () => text('copied'))
    .tool('run', { scopes: ['code:run'] }, () => text('ran'))
    .tool('whoami', { scopes: 'token' }, (_, { principal, traceId }) => text(`${principal.clientId} ${traceId}`))
    .tool('version', { scopes: 'public' }, (_, { principal }) => text(`1.0.0 for ${principal?.subject}`))
    .tool('delegate', { scopes: ['code:read'] }, async (_, call) => text(await call.tokenFor('tester')))
    .tool('look', { scopes: ['code:read'] }, (_, call) => {
      seen.push(call)
      return text('looked')
    })
    .tool('wait', { scopes: ['code:read'] }, async (_, { signal, mcp }) => {
      seen.push(signal)
      await mcp.mcpReq.notify({ method: 'notifications/progress', params: { progressToken: 1, progress: 1 } })
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      return text('too late')
    })
    .resource('file:///readme', { scopes: ['code:read'] }, (uri) => contents(uri, 'readme'))
    .resource('file:///open', { scopes: 'public' }, (uri) => contents(uri, 'open'))
    .resourceTemplate(
      'file:///src/{name}',
      {
        scopes: ['code:write'],
        list: () => [
          { uri: 'file:///src/a', name: 'a' },
          { uri: 'file:///elsewhere', name: 'elsewhere' },
        ],
        complete: { name: (value) => [`${value}.ts`] },
      },
      (uri, { name }) => contents(uri, `source of ${name}`),
    )
    .prompt('review', { scopes: ['code:read'], argsSchema: review }, (args) => said(`review ${args.language}`))
    .prompt('hello', { scopes: 'public' }, () => said('hello'))
}

/** The same server by both SDKs, each request by itself. */
export const sdks = {
  v1: (options: Options, http: HttpOptions<Scope>) => buildV1(options).http({ ...http, sessions: false }),
  v2: (options: Options, http: HttpOptions<Scope>) => buildV2(options).http(http),
}

/** Serves it on loopback at `/mcp`. */
export async function withServer(
  sdk: keyof typeof sdks,
  { http = {}, ...options }: Options & { readonly http?: HttpOptions<Scope> },
  use: (url: string, server: GuardedHttp) => Promise<void>,
): Promise<void> {
  let server: GuardedHttp | undefined
  await serving(
    async (origin) => {
      server = await sdks[sdk](options, { resource: `${origin}/mcp`, ...http })
      return server.node
    },
    async (origin) => {
      if (server !== undefined) await use(`${origin}/mcp`, server)
      await server?.close()
    },
  )
}

export interface Rpc {
  readonly status: number
  readonly challenge: string | null
  readonly headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: whatever a server answers is looked at by the tests
  readonly body: any
}

/** One message as a client of protocol 2025-11-25 sends it. */
export async function rpc(
  url: string,
  token: string | undefined,
  message: unknown,
  more: Record<string, string> = {},
): Promise<Rpc> {
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    ...more,
  }
  const body = typeof message === 'string' ? message : JSON.stringify(message)
  const response = await fetch(url, { method: 'POST', headers, body })
  const all = await response.text()
  const data = [...all.matchAll(/^data: (.+)$/gm)].map((match) => JSON.parse(match[1] ?? ''))
  const { status } = response
  const parsed = data.length === 0 ? (all === '' ? undefined : JSON.parse(all)) : data.length === 1 ? data[0] : data
  return { status, challenge: response.headers.get('www-authenticate'), headers: response.headers, body: parsed }
}

export const call = (name: unknown, args: unknown = {}, id = 1) => ({
  ...{ jsonrpc: '2.0', id, method: 'tools/call' },
  params: { name, arguments: args },
})
export const ask = (method: string, params: unknown = {}, id = 1) => ({ jsonrpc: '2.0', id, method, params })
