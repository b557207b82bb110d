import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/stdio.js'
import { describe, expect, it, vi } from 'vitest'
import type { GuardedStdio, StdioToken } from '../src/index.ts'
import { collector, jwk, makeGuard, makeRevocations, makeToken, movableClock } from './fixtures.ts'
import { ask, buildV1, buildV2, call, type Options } from './worlds.ts'

describe.each(['v1', 'v2'])('a process of SDK %s, with its token from the environment', { concurrent: true }, (sdk) => {
  const parameters = (token: string | undefined, revoked = '/nowhere') => ({
    command: process.execPath,
    args: [new URL(`./children/${sdk}.ts`, import.meta.url).pathname],
    env: { TEST_JWK: JSON.stringify(jwk), TEST_REVOKED: revoked, ...(token === undefined ? {} : { MCP_TOKEN: token }) },
    stderr: 'pipe' as const,
  })

  it('serves the clients of both SDKs what its token allows', async () => {
    const token = makeToken('code:read', { sub: 'ada' })
    const newer = new Client({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } })
    const older = new ClientV1({ name: 'test', version: '1' })
    await Promise.all([
      newer.connect(new StdioClientTransport(parameters(token))),
      older.connect(new TransportV1(parameters(token))),
    ])
    for (const client of [newer, older] as Client[]) {
      expect((await client.listTools()).tools.map(({ name }) => name)).toEqual(['read'])
      expect(await client.callTool({ name: 'read' })).toMatchObject({ content: [{ text: 'ada' }] })
      await expect(client.callTool({ name: 'write' })).rejects.toMatchObject({
        code: -32_043,
        data: { error: 'insufficient_scope', scope: 'code:write' },
      })
      await expect(client.callTool({ name: 'nothing' })).rejects.toMatchObject({ code: -32_602 })
      await client.close()
    }
  })

  it('does not start with a token that is not good, and says why', async () => {
    for (const [token, reason] of [
      [undefined, 'There is no token.'],
      [makeToken('code:read', { aud: 'other' }), 'wrong_audience'],
    ] as const) {
      const transport = new StdioClientTransport(parameters(token))
      let said = ''
      transport.stderr?.on('data', (part) => {
        said += part
      })
      const client = new Client({ name: 'test', version: '1' })
      await expect(client.connect(transport)).rejects.toThrow()
      expect(said).toContain(reason)
      if (token !== undefined) expect(said).not.toContain(token)
    }
  })

  it('ends when its token is revoked', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'countersign-mcp-'))
    const revoked = join(folder, 'revoked')
    const transport = new StdioClientTransport(parameters(makeToken(), revoked))
    let said = ''
    transport.stderr?.on('data', (part) => {
      said += part
    })
    const client = new Client({ name: 'test', version: '1' })
    await client.connect(transport)
    const closed = new Promise<void>((resolve) => {
      client.onclose = resolve
    })
    await writeFile(revoked, '')
    await closed
    await vi.waitFor(() => expect(said).toContain('ended: revoked'), { timeout: 60_000 })
    await rm(folder, { recursive: true })
  })
})

/** The same in this process, on streams of the test's own. */
async function open(sdk: string, token: StdioToken, options: Options = {}) {
  const input = new PassThrough()
  const output = new PassThrough()
  const build = sdk === 'v1' ? buildV1(options) : buildV2(options)
  const server: GuardedStdio = await build.stdio({ token, input, output })
  const answers = new Map<unknown, (message: Record<string, unknown>) => void>()
  let rest = ''
  output.on('data', (part) => {
    const lines = (rest + part).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const message = JSON.parse(line)
      answers.get(message.id)?.(message)
    }
  })
  let id = 0
  const send = async (message: object): Promise<Record<string, { [key: string]: unknown }>> => {
    id += 1
    const answer = new Promise<Record<string, unknown>>((resolve) => answers.set(id, resolve))
    input.write(`${JSON.stringify({ ...message, id })}\n`)
    return (await answer) as never
  }
  const clientInfo = { name: 'raw', version: '1' }
  const first = await send(ask('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo }))
  expect(first.result).toBeDefined()
  input.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`)
  return { server, send, input }
}

describe.each(['v1', 'v2'])('a guarded stdio connection of SDK %s', (sdk) => {
  it('checks the token of each call', async () => {
    let scope = 'code:read'
    const { events, onEvent } = collector()
    const { server, send } = await open(sdk, async () => makeToken(scope), { onEvent })
    expect(server.principal.subject).toBe('user_1')
    expect((await send(call('copy'))).error?.code).toBe(-32_043)
    scope = 'code:read code:write'
    expect((await send(call('copy'))).result).toMatchObject({ content: [{ text: 'copied' }] })
    expect((await send(ask('admin/wipe'))).error?.code).toBe(-32_601)
    expect(
      events.filter(({ type }) => type === 'call').map((event) => ('decision' in event ? event.decision : '')),
    ).toEqual([...['admitted', 'denied', 'admitted', 'denied']])
    await server.close()
    expect(await server.ended).toBe('closed')
  })

  it('stays the same subject’s and client’s', async () => {
    let sub = 'ada'
    const { server, send } = await open(sdk, async () => makeToken('code:read', { sub }))
    expect((await send(call('read'))).result).toBeDefined()
    sub = 'bob'
    expect((await send(call('read'))).error?.code).toBe(-32_041)
    await server.close()
  })

  it('ends when a token that was given once expires, with a call under way', async () => {
    const clock = movableClock()
    const { events, onEvent } = collector()
    const { server, send } = await open(sdk, makeToken(), { guard: makeGuard({ clock }), onEvent })
    expect((await send(call('read'))).result).toBeDefined()
    void send(call('wait'))
    await expect.poll(() => (events.length < 3 ? 'too few' : events.at(-1)?.type)).toBe('call')
    clock.advance(601)
    expect(await server.ended).toBe('expired')
    expect(events.at(-1)).toMatchObject({ type: 'ended', transport: 'stdio', reason: 'expired' })
  })

  it('goes on with another token where there is one', async () => {
    const clock = movableClock()
    const revocations = makeRevocations()
    let given = makeToken('code:read', { jti: 'first' })
    const asked: unknown[] = []
    const token = async (options?: object) => {
      asked.push(options)
      return given
    }
    const { server, send } = await open(sdk, token, { guard: makeGuard({ clock, revocations }) })
    const first = given
    given = makeToken('code:read', { jti: 'second', exp: Math.floor(Date.now() / 1000) + 1200 })
    clock.advance(605)
    expect((await send(call('read'))).result).toBeDefined()
    expect(asked).toContainEqual({ reason: 'rejected', token: first })
    revocations.revoke('user_1')
    expect(await server.ended).toBe('revoked')
  })

  it('refuses a call whose token was revoked since, and ends', async () => {
    const revoked = new Set<string>()
    // News that come with no word to those who watch: the call itself finds out.
    const revocations = {
      isRevoked: ({ subject }: { subject: string }) => revoked.has(subject),
      onChange: () => () => {},
    }
    const { server, send } = await open(sdk, makeToken(), { guard: makeGuard({ revocations }) })
    revoked.add('user_1')
    expect((await send(call('read'))).error).toMatchObject({ code: -32_041, data: { error: 'invalid_token' } })
    expect(await server.ended).toBe('revoked')
  })

  it('is over when its client is gone', async () => {
    const { server, input } = await open(sdk, makeToken())
    input.end()
    expect(await server.ended).toBe('closed')
  })
})
