// A server of SDK v1 on its own stdin and stdout, with the token of its environment.
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { guardMcp } from '../../src/v1/index.ts'
import { childGuard, text } from './child-guard.ts'

const guarded = guardMcp(() => new McpServer({ name: 'child', version: '1.0.0' }), { guard: childGuard() })
guarded.tool('read', { scopes: ['code:read'] }, (_, { principal }) => text(principal.subject))
guarded.tool('write', { scopes: ['code:write'] }, () => text('written'))
const { ended } = await guarded.stdio({ token: process.env.MCP_TOKEN })
process.stderr.write(`ended: ${await ended}\n`)
process.exit(0)
