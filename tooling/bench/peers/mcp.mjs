// usage: mcp.mjs v1|v2 bare|countersign TOOLS
// An MCP server with so many tools over HTTP, guarded or as the SDK's own examples serve it: v2 one server for each
// request, v1 with a session. First line: a call of one of the tools, a list of all, and tokens of one caller for them.

import { createServer } from 'node:http'
import { createGuard } from '@countersign/guard'
import { guardMcp as guardV1 } from '@countersign/mcp/v1'
import { guardMcp as guardV2 } from '@countersign/mcp/v2'
import { createVerifier, signAccessTokenSync, staticKeys } from '@countersign/tokens'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer as McpServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import { z } from 'zod'
import { audience, issuer, makeClaims, makeKey } from '../harness/issuer.mjs'

const tokenCount = 1_000
const [version = '', how = '', count = ''] = process.argv.slice(2)
const key = makeKey()
const info = { name: 'bench', version: '1.0.0' }
const names = Array.from({ length: Number(count) }, (_, index) => `tool_${String(index).padStart(4, '0')}`)
const shape = { path: z.string(), text: z.string().optional(), lines: z.number().int().optional() }
const inputSchema = z.object(shape)
const description = 'Reads a file of the workspace and says what is in it.'
/** @type {any} */
const answer = { content: [{ type: 'text', text: 'done' }] }
const handler = async () => answer

function makeGuard() {
  const verifier = createVerifier({ issuer, audience, keys: staticKeys({ keys: [key.jwk] }) })
  return createGuard({ verifier, issuer })
}

/** Every second tool needs a scope that nobody has: half of the list is filtered away. @param {number} index */
const scopesOf = (index) => /** @type {[string]} */ ([index % 2 === 0 ? 'agents:read' : 'agents:admin'])

/** @param {string} resource @returns {Promise<import('node:http').RequestListener>} */
async function guarded(resource) {
  if (version === 'v1') {
    const guard = guardV1(() => new McpServerV1(info), { guard: makeGuard() })
    for (const [index, name] of names.entries()) {
      guard.tool(name, { scopes: scopesOf(index), description, inputSchema }, handler)
    }
    return (await guard.http({ resource })).node
  }
  const guard = guardV2(() => new McpServer(info), { guard: makeGuard() })
  for (const [index, name] of names.entries()) {
    guard.tool(name, { scopes: scopesOf(index), description, inputSchema }, handler)
  }
  return (await guard.http({ resource })).node
}

/** @returns {import('node:http').RequestListener} */
function bare() {
  if (version === 'v1') return bareV1()
  return toNodeHandler(
    createMcpHandler(() => {
      const server = new McpServer(info)
      for (const name of names) server.registerTool(name, { description, inputSchema }, handler)
      return server
    }),
  )
}

/** @returns {import('node:http').RequestListener} */
function bareV1() {
  /** @type {Map<string, StreamableHTTPServerTransport>} */
  const sessions = new Map()
  return async (request, response) => {
    const known = sessions.get(String(request.headers['mcp-session-id']))
    if (known !== undefined) return known.handleRequest(request, response)
    const server = new McpServerV1(info)
    for (const name of names) server.registerTool(name, { description, inputSchema }, handler)
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => crypto.randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, transport),
    })
    await server.connect(/** @type {any} */ (transport))
    await transport.handleRequest(request, response)
  }
}

const server = createServer((request, response) => void listener(request, response))
await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
const url = `http://127.0.0.1:${port}/mcp`
const listener = how === 'bare' ? bare() : await guarded(url)

const sub = 'user_6b0a7d1e-8f42-4c55-9d3a-2e71c0b9f8d4'
const bearers = Array.from({ length: tokenCount }, () => signAccessTokenSync(makeClaims({ sub }), key.signer))
const accepts = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' }

/** What every message of the protocol has beside it. @param {string} method @param {object} params @param {string} [name] */
function messageOf(method, params, name) {
  if (version === 'v1') {
    const headers = { ...accepts, 'Mcp-Protocol-Version': '2025-11-25', 'Mcp-Session-Id': session }
    return { url, method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) }
  }
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': { name: 'wrk', version: '1' },
    'io.modelcontextprotocol/clientCapabilities': {},
  }
  const headers = {
    ...accepts,
    'Mcp-Protocol-Version': '2026-07-28',
    'Mcp-Method': method,
    ...(name === undefined ? {} : { 'Mcp-Name': name }),
  }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } })
  return { url, method: 'POST', headers, body }
}

async function openSession() {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'wrk', version: '1' } }
  const response = await fetch(url, {
    method: 'POST',
    headers: { ...accepts, Authorization: `Bearer ${bearers[0]}` },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }),
  })
  await response.text()
  return response.headers.get('mcp-session-id') ?? ''
}
const session = version === 'v1' ? await openSession() : ''
const name = names[0] ?? ''
process.once('SIGTERM', () => process.exit(0))
const told = {
  call: { ...messageOf('tools/call', { name, arguments: { path: 'a.ts' } }, name), bearers },
  list: { ...messageOf('tools/list', {}), bearers },
}
process.stdout.write(`${JSON.stringify(told)}\n`)
