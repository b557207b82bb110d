import { PassThrough } from 'node:stream'
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { McpServer } from '@modelcontextprotocol/server'
import { describe, expect, it } from 'vitest'
import type { GuardedHttp } from '../src/index.ts'
import * as v1 from '../src/v1/index.ts'
import * as v2 from '../src/v2/index.ts'
import { makeGuard, makeToken, type NodeHandler, serving } from './fixtures.ts'
import { ask, rpc } from './worlds.ts'

const opening = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } }
const reading = ask('resources/read', { uri: 'file:///src/a' }, 2)
const read =
  (words: string) =>
  (uri: URL): { contents: { uri: string; text: string }[] } => ({ contents: [{ uri: uri.href, text: words }] })

/** Two templates that both fit: the one declared first comes second in order of names. */
function build(sdk: 'v1' | 'v2') {
  const options = { guard: makeGuard() }
  const about = { name: 'coder', version: '1.0.0' }
  return sdk === 'v1'
    ? v1
        .guardMcp(() => new McpServerV1(about), options)
        .resourceTemplate('file:///src/{name}', { scopes: 'token' }, read('one'))
        .resourceTemplate('file:///src/{+path}', { scopes: ['code:admin'] }, read('any'))
    : v2
        .guardMcp(() => new McpServer(about), options)
        .resourceTemplate('file:///src/{name}', { scopes: 'token' }, read('one'))
        .resourceTemplate('file:///src/{+path}', { scopes: ['code:admin'] }, read('any'))
}

async function overHttp(make: (origin: string) => Promise<GuardedHttp>, hasSessions: boolean): Promise<string> {
  let answered = ''
  await serving(
    async (origin): Promise<NodeHandler> => (await make(origin)).node,
    async (origin) => {
      const url = `${origin}/mcp`
      const opened = hasSessions ? await rpc(url, makeToken(), ask('initialize', opening)) : undefined
      const id = opened?.headers.get('mcp-session-id')
      const { body } = await rpc(url, makeToken(), reading, typeof id === 'string' ? { 'mcp-session-id': id } : {})
      answered = body.result?.contents[0].text ?? JSON.stringify(body)
    },
  )
  return answered
}

async function overStdio(sdk: 'v1' | 'v2'): Promise<string> {
  const [input, output] = [new PassThrough(), new PassThrough()]
  const running = await build(sdk).stdio({ token: makeToken(), input, output })
  const said = new Promise<string>((resolve) => {
    output.on('data', (line: Buffer) => {
      for (const one of String(line).trim().split('\n')) {
        const { id, result, error } = JSON.parse(one)
        if (id === 1) input.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' })}\n`)
        if (id === 1) input.write(`${JSON.stringify(reading)}\n`)
        if (id === 2) resolve(result?.contents[0].text ?? JSON.stringify(error))
      }
    })
  })
  input.write(`${JSON.stringify(ask('initialize', opening))}\n`)
  const answered = await said
  await running.close()
  return answered
}

describe('of two templates that a URI fits', () => {
  it.each([
    ['v1, with sessions', () => overHttp((origin) => build('v1').http({ resource: `${origin}/mcp` }), true)],
    ['v2', () => overHttp((origin) => build('v2').http({ resource: `${origin}/mcp` }), false)],
    ['v1 on stdio', () => overStdio('v1')],
    ['v2 on stdio', () => overStdio('v2')],
  ])('the one declared first is decided on, and read: %s', async (_where, ask) => {
    expect(await ask()).toBe('one')
  })
})
