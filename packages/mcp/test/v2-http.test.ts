import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { McpServer } from '@modelcontextprotocol/server'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { guardMcp } from '../src/v2/index.ts'
import { collector, makeGuard, makeToken, serving, text } from './fixtures.ts'

it('smokes', async () => {
  const { events, onEvent } = collector()
  const guarded = guardMcp(() => new McpServer({ name: 'coder', version: '1.0.0' }), { guard: makeGuard(), onEvent })
  guarded
    .tool('write', { scopes: ['code:write'], inputSchema: z.object({ path: z.string() }) }, ({ path }, { principal }) =>
      text(`${principal.subject} ${path}`),
    )
    .tool('read', { scopes: ['code:read'] }, () => text('read'))
    .tool('version', { scopes: 'public' }, async (_, { principal }) => text(String(principal?.subject)))
  let http: Awaited<ReturnType<typeof guarded.http>>
  await serving(
    async (origin) => {
      http = await guarded.http({ resource: `${origin}/mcp` })
      return http.node
    },
    async (origin) => {
      for (const mode of ['auto', 'legacy']) {
        const client = new Client(
          { name: 'test', version: '1' },
          mode === 'auto' ? { versionNegotiation: { mode: 'auto' } } : {},
        )
        const transport = new StreamableHTTPClientTransport(new URL(`${origin}/mcp`), {
          requestInit: { headers: { authorization: `Bearer ${makeToken('code:read')}` } },
        })
        await client.connect(transport)
        console.log(mode, client.getNegotiatedProtocolVersion?.())
        console.log(JSON.stringify(await client.listTools()))
        console.log(JSON.stringify(await client.callTool({ name: 'read' })))
        console.log(await client.callTool({ name: 'write', arguments: { path: 'a' } }).catch((e) => e))
        console.log(await client.callTool({ name: 'nope', arguments: { path: 'a' } }).catch((e) => e))
        await client.close()
      }
      console.log(JSON.stringify(events, null, 0))
      const r = await fetch(`${origin}/mcp`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      })
      console.log(r.status, Object.fromEntries(r.headers), await r.text())
    },
  )
  expect(1).toBe(1)
})
