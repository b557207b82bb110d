import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import type { Fleet } from '../fleet.ts'
import { basic, postForm } from '../http.ts'
import { expectThat, type Step } from '../walk.ts'

/** People who are signed in with Clerk (a stand-in) reach the MCP servers through a backend that exchanges their session. */
export const bridge: readonly Step<Fleet>[] = [
  {
    name: 'a Clerk session at an MCP server',
    async run(fleet) {
      const { clerk } = fleet.bridge
      const user = clerk.world.addUser({ email: 'ada@example.com' })
      const session = clerk.world.addSession(user.id)
      const sessionToken = clerk.token(session.id, { lifeSeconds: 600 })
      const wider = await exchange(fleet, sessionToken, 'coder:run')
      expectThat(wider.status === 400, `commands, which no session may run, got ${wider.status}`)
      const { status, body } = await exchange(fleet, sessionToken)
      expectThat(status === 200, `the exchange got ${status} ${JSON.stringify(body)}`)

      const client = await connect(fleet, body.access_token)
      await client.callTool({ name: 'write_file', arguments: { path: 'clerk.txt', text: 'by a session of Clerk' } })
      const stream = await client.listen({ toolsListChanged: true })
      const since = performance.now()
      clerk.world.endSession(session.id, 'ended')
      await clerk.delivered()
      await stream.closed
      const ms = performance.now() - since
      const after = await client.listTools().then(
        () => 'an answer',
        () => 'refused',
      )
      expectThat(after === 'refused', `after the end of the session there was ${after}`)
      const again = await exchange(fleet, sessionToken)
      expectThat(again.status === 400, `a session that has ended got ${again.status}`)
      await client.close()
      return `wrote as clerk:${user.id.slice(0, 10)}…; ended at Clerk, its stream closed ${ms.toFixed(0)} ms later`
    },
  },
]

function exchange({ addresses, bridge: { client } }: Fleet, sessionToken: string, scope = 'coder:write') {
  const form = {
    grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
    subject_token: sessionToken,
    subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    audience: 'mcp-coder',
    scope,
  }
  return postForm(`${addresses.issuer}/oauth/token`, form, basic(client.id, client.secret))
}

async function connect({ addresses }: Fleet, token: string): Promise<Client> {
  const client = new Client({ name: 'tour', version: '1.0.0' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
  const authProvider = { token: async () => token }
  await client.connect(new StreamableHTTPClientTransport(new URL(addresses['mcp-coder']), { authProvider }))
  return client
}
