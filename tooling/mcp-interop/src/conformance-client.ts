// What the conformance suite runs as a client: given a server's URL, it finds the issuer by the 401, has the token source
// get a token there, and uses the server.

import { createPrivateKey } from 'node:crypto'
import { createTokenSource, type PrivateJwk } from '@countersign/token-source'
import {
  Client,
  discoverOAuthProtectedResourceMetadata,
  extractWWWAuthenticateParams,
  StreamableHTTPClientTransport,
} from '@modelcontextprotocol/client'
import { z } from 'zod'

const contextOf = z.object({
  client_id: z.string(),
  client_secret: z.string().optional(),
  private_key_pem: z.string().optional(),
  signing_algorithm: z.string().optional(),
})

const server = process.argv.at(-1) ?? ''
const context = contextOf.parse(JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}'))

const answer = await fetch(server, {
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
  body: JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'ping' }),
})
const { resourceMetadataUrl, scope } = extractWWWAuthenticateParams(answer)
await answer.body?.cancel()
const resource = await discoverOAuthProtectedResourceMetadata(server, {
  ...(resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl }),
})
const issuer = resource.authorization_servers?.[0]
if (issuer === undefined) throw new Error('The server names no authorization server.')

const source = createTokenSource({
  issuer,
  client: {
    id: context.client_id,
    ...(context.client_secret === undefined ? {} : { secret: context.client_secret }),
    ...(context.private_key_pem === undefined ? {} : { privateKey: jwkOf(context.private_key_pem) }),
  },
  grant: { type: 'client_credentials', resource: resource.resource, ...(scope === undefined ? {} : { scope }) },
})
const client = new Client({ name: 'token-source', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } })
const authProvider = {
  token: () => source.getToken(),
  onUnauthorized: async () => {
    await source.getToken({ reason: 'rejected' })
  },
}
await client.connect(new StreamableHTTPClientTransport(new URL(server), { authProvider }))
const { tools } = await client.listTools()
console.log(`${tools.length} tools, with a token from ${issuer}`)
await client.close()
source.close()

function jwkOf(pem: string): PrivateJwk {
  return {
    ...(createPrivateKey(pem).export({ format: 'jwk' }) as PrivateJwk),
    ...(context.signing_algorithm === undefined ? {} : { alg: context.signing_algorithm }),
  }
}
