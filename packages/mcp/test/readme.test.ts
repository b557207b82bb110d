import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createGuard } from '@countersign/guard'
import { McpServer } from '@modelcontextprotocol/server'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { guardMcp } from '../src/v2/index.ts'
import { makeGuard, makeToken } from './fixtures.ts'
import { ask, call, rpc } from './worlds.ts'

const examplesOf = (file: string) =>
  [...readFileSync(new URL(file, import.meta.url), 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(
    (match) => match[1] ?? '',
  )
const [readme = ''] = examplesOf('../README.md')
const [howTo = ''] = examplesOf('../../../docs/how-to/guard-an-mcp-server.md')

it.each([
  ['its README', readme],
  ['its how-to', howTo],
])('shows an example in %s that runs', async (_where, example) => {
  let server: ReturnType<typeof createServer> | undefined
  const names = {
    guardMcp,
    McpServer,
    z,
    // The example's own call, which fetches nothing before the first token; its keys are this test's.
    createGuard: (options: { issuer: string; audience: string }) => {
      void createGuard(options).close()
      return makeGuard()
    },
    createServer: (listener: RequestListener) => {
      server = createServer(listener)
      return { listen: () => server?.listen(0, '127.0.0.1') }
    },
  }
  const body = `return (async () => {\n${example.replaceAll(/^import .*$/gm, '')}\n})()`
  await new Function(...Object.keys(names), body)(...Object.values(names))
  if (server?.listening === false) await once(server, 'listening')
  const address = server?.address()
  if (server === undefined || address === null || typeof address !== 'object') throw new Error('nothing listens')
  try {
    const url = `http://127.0.0.1:${address.port}/mcp`
    const write = call('write_file', { path: 'a.ts', text: 'x' })
    expect((await rpc(url, undefined, write)).challenge).toContain('scope="code:write"')
    expect((await rpc(url, makeToken('code:read'), write)).status).toBe(403)
    expect((await rpc(url, makeToken('code:write', { sub: 'ada' }), write)).body.result.content[0].text).toBe('written')
    expect((await rpc(url, undefined, call('version'))).body.result.content[0].text).toBe('1.0.0')
    const { body } = await rpc(url, makeToken('code:read'), ask('tools/list'))
    expect(body.result.tools.map(({ name }: { name: string }) => name)).toEqual(['version'])
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
