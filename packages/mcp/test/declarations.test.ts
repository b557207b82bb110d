import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { McpServer } from '@modelcontextprotocol/server'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { isMcpGuardError, McpGuardError, mcpGuardErrorCodes, mcpGuardRemedies } from '../src/index.ts'
import { guardMcp as guardV1 } from '../src/v1/index.ts'
import { guardMcp as guardV2 } from '../src/v2/index.ts'
import { makeGuard, text } from './fixtures.ts'

const resource = 'http://127.0.0.1:4700/mcp'
const handler = () => text('')
const bareV1 = () => new McpServerV1({ name: 'bare', version: '1' })
const bareV2 = () => new McpServer({ name: 'bare', version: '1' })

/** As code without types may call it. */
interface Loose {
  tool(name: unknown, declaration?: unknown, handler?: unknown): Loose
  resource(uri: unknown, declaration?: unknown, handler?: unknown): Loose
  resourceTemplate(uri: unknown, declaration?: unknown, handler?: unknown): Loose
  prompt(name: unknown, declaration?: unknown, handler?: unknown): Loose
  http(options?: unknown): Promise<{ close(): Promise<void>; catalogue: unknown }>
  stdio(options?: unknown): Promise<unknown>
}
type Make = (options?: object, factory?: unknown) => Loose
const guard = makeGuard()
const makers: Record<string, [Make, () => McpServer | McpServerV1]> = {
  v1: [(more, factory = bareV1) => guardV1(factory as never, { guard, ...more }) as unknown as Loose, bareV1],
  v2: [(more, factory = bareV2) => guardV2(factory as never, { guard, ...more }) as unknown as Loose, bareV2],
}

const codeOf = async (run: () => unknown): Promise<unknown> => {
  try {
    await run()
    return 'nothing'
  } catch (error) {
    expect(isMcpGuardError(error)).toBe(true)
    return error instanceof McpGuardError ? error.code : error
  }
}

describe.each(Object.entries(makers))('declarations with SDK %s', (_sdk, [make, bare]) => {
  const faulty: [what: string, declare: (guarded: Loose) => unknown, code: string][] = [
    ['a tool that says nothing', (g) => g.tool('a', {}, handler), 'no_access'],
    ['a tool without a declaration', (g) => g.tool('a', undefined, handler), 'no_access'],
    ['a tool with a handler in its place', (g) => g.tool('a', handler), 'no_access'],
    ['no scopes', (g) => g.tool('a', { scopes: [] }, handler), 'no_access'],
    ['scopes that are a word', (g) => g.tool('a', { scopes: 'everybody' }, handler), 'no_access'],
    ['a scope in place of a list', (g) => g.tool('a', { scopes: 'code:read' }, handler), 'no_access'],
    ['an undefined scope', (g) => g.tool('a', { scopes: ['code:read', undefined] }, handler), 'unknown_scope'],
    ['a scope with a slip', (g) => g.tool('a', { scopes: ['code:raed'] }, handler), 'unknown_scope'],
    ['a resource that says nothing', (g) => g.resource('file:///a', {}, handler), 'no_access'],
    ['a template that says nothing', (g) => g.resourceTemplate('file:///{a}', {}, handler), 'no_access'],
    ['a prompt that says nothing', (g) => g.prompt('a', {}, handler), 'no_access'],
    ['no handler', (g) => g.tool('a', { scopes: 'public' }), 'bad_option'],
    ['a name with a space', (g) => g.tool('a b', { scopes: 'public' }, handler), 'bad_name'],
    ['a name that every object has', (g) => g.tool('constructor', { scopes: 'public' }, handler), 'bad_name'],
    ['a name that is none', (g) => g.tool(1, { scopes: 'public' }, handler), 'bad_name'],
    ['a resource that is no URI', (g) => g.resource('readme', { scopes: 'public' }, handler), 'bad_name'],
    ['a template that is none', (g) => g.resourceTemplate('file:///{a', { scopes: 'public' }, handler), 'bad_name'],
    [
      'the same tool twice',
      (g) => g.tool('a', { scopes: 'public' }, handler).tool('a', { scopes: ['code:read'] }, handler),
      'duplicate',
    ],
    [
      'the same resource twice, spelt otherwise',
      (g) =>
        g.resource('file:///a', { scopes: 'public' }, handler).resource('FILE:///x/../a', { scopes: 'token' }, handler),
      'duplicate',
    ],
    [
      'a cache for everybody of what is not',
      (g) => g.resource('file:///a', { scopes: 'token', cacheHint: { cacheScope: 'public' } }, handler),
      'bad_option',
    ],
  ]
  it.each(faulty)('refuse %s', async (_what, declare, code) => {
    expect(await codeOf(() => declare(make()))).toBe(code)
  })

  it('come before the start', async () => {
    const guarded = make().tool('a', { scopes: 'public' }, handler)
    const http = await guarded.http({ resource })
    expect(await codeOf(() => guarded.tool('b', { scopes: 'public' }, handler))).toBe('started')
    expect(http.catalogue).toEqual([{ kind: 'tool', name: 'a', access: 'public' }])
    await http.close()
  })

  type Bare = InstanceType<typeof McpServer>
  const round: [what: string, register: (server: Bare) => unknown][] = [
    ['a tool', (server) => server.registerTool('sneaky', { inputSchema: z.object({}) }, handler)],
    ['a tool of the same name', (server) => server.registerTool('declared', { inputSchema: z.object({}) }, handler)],
    ['a resource', (server) => server.registerResource('sneaky', 'file:///sneaky', {}, () => ({ contents: [] }))],
    ['a prompt', (server) => server.registerPrompt('sneaky', {}, () => ({ messages: [] }))],
  ]
  it.each(round)('are all there is: %s that came round them stops the start', async (_what, register) => {
    const sneaky = () => {
      const server = bare()
      register(server as Bare)
      return server
    }
    const guarded = () => make({}, sneaky).tool('declared', { scopes: 'public' }, handler)
    expect(await codeOf(() => guarded().http({ resource }))).toBe('round_the_wrapper')
    expect(await codeOf(() => guarded().stdio({ token: 'x' }))).toBe('round_the_wrapper')
    await expect(guarded().http({ resource })).rejects.toThrow(/sneaky|declared/)
  })

  const options: [what: string, more: object, code: string][] = [
    ['no resource', { resource: undefined }, 'no_resource'],
    ['a catalogue for somebody', { catalogue: 'friends' }, 'bad_option'],
    ['a body limit of nothing', { maxBodyBytes: 0 }, 'bad_option'],
    ['a batch without end', { maxBatch: 1e9 }, 'bad_option'],
    ['an origin with a path', { origins: ['https://app.example.com/app'] }, 'bad_option'],
    ['any host', { hosts: ['*'] }, 'bad_option'],
    ['a baseline that nobody knows', { baselineScopes: ['code:raed'] }, 'unknown_scope'],
  ]
  it.each(options)('start over HTTP with options that are right: %s is not', async (_what, more, code) => {
    expect(await codeOf(() => make().http({ resource, ...more }))).toBe(code)
  })

  it('keep to https, except on loopback', async () => {
    await expect(make().http({ resource: 'http://coder.example.com/mcp' })).rejects.toThrow('https')
    await expect(make().http({ resource, realm: 'a"b' })).rejects.toThrow('realm')
  })

  it('know hierarchies and exchanges from the start', async () => {
    expect(await codeOf(() => make({ implies: { 'code:admin': ['code:raed'] } }))).toBe('unknown_scope')
    expect(await codeOf(() => make({ exchange: { tester: 'token' } }))).toBe('bad_option')
    expect(await codeOf(() => make({ listTtlMs: -1 }))).toBe('bad_option')
  })
})

describe('errors', () => {
  it('have a remedy each, and are known across copies', () => {
    expect(Object.keys(mcpGuardRemedies).sort()).toEqual([...mcpGuardErrorCodes].sort())
    const other = Object.assign(new Error('x'), { name: 'McpGuardError', code: 'started' })
    expect([isMcpGuardError(other), isMcpGuardError(new Error('x'))]).toEqual([true, false])
    expect(new McpGuardError('duplicate', 'x').remedy).toBe(mcpGuardRemedies.duplicate)
  })
})

// Types: what must not compile.
export function types(): void {
  const guarded = guardV2(bareV2, { guard: makeGuard(), exchange: { tester: async () => 'x' } })
  // @ts-expect-error a tool says who may use it
  guarded.tool('a', {}, handler)
  // @ts-expect-error the consumer has no such scope
  guarded.tool('a', { scopes: ['code:raed'] }, handler)
  // @ts-expect-error somebody public may be nobody
  guarded.tool('a', { scopes: 'public' }, (_, { principal }) => text(principal.subject))
  // @ts-expect-error there is no such exchange
  guarded.tool('a', { scopes: 'token' }, async (_, { tokenFor }) => text(await tokenFor('coder')))
  guarded.tool('a', { scopes: ['code:read'], inputSchema: z.object({ n: z.number() }) }, ({ n }, { principal }) =>
    text(`${n.toFixed()} ${principal.subject}`),
  )
}
