// usage: mcp-following.mjs ISSUER
// Guarded MCP servers of both SDKs whose guard follows an issuer's feed. First line: where they are.

import { createServer } from 'node:http'
import { createGuard } from '@countersign/guard'
import { guardMcp as guardV1 } from '@countersign/mcp/v1'
import { guardMcp as guardV2 } from '@countersign/mcp/v2'
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { McpServer } from '@modelcontextprotocol/server'

const guard = createGuard({ issuer: process.argv[2] ?? '', audience: 'agent-api' })
await guard.whenReady()
const info = { name: 'bench', version: '1.0.0' }
/** @type {any} */
const answer = { content: [] }

/** @param {(origin: string) => Promise<import('@countersign/mcp').GuardedHttp>} make */
async function serve(make) {
  /** @type {import('node:http').RequestListener} */
  let listener = (_, response) => void response.writeHead(503).end()
  const server = createServer((request, response) => void listener(request, response))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  listener = (await make(`http://127.0.0.1:${port}`)).node
  return `http://127.0.0.1:${port}/mcp`
}

const v1 = await serve((origin) => {
  const guarded = guardV1(() => new McpServerV1(info), { guard })
  guarded.tool('read', { scopes: ['agents:read'] }, async () => answer)
  return guarded.http({ resource: `${origin}/mcp`, sessions: { maxPerCaller: 10_000 } })
})
const v2 = await serve((origin) => {
  const guarded = guardV2(() => new McpServer(info), { guard })
  guarded.tool('read', { scopes: ['agents:read'] }, async () => answer)
  return guarded.http({ resource: `${origin}/mcp` })
})
process.once('SIGTERM', () => process.exit(0))
process.stdout.write(`${JSON.stringify({ v1, v2 })}\n`)
