import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { claimsOf } from '../claims-of.ts'
import type { Fleet } from '../fleet.ts'
import { bearer, postJson } from '../http.ts'
import { patienceMs } from '../patience.ts'
import { expectThat, type Step, Surprise } from '../walk.ts'

/** An agent has tasks done in a person's name, through one server that acts for them at another. */
export const agents: readonly Step<Fleet>[] = [
  {
    name: 'an agent signs a person in',
    async run(fleet) {
      const answer = await signIn(fleet, 'tasks:run coder:write')
      fleet.kept.agentToken = answer.access_token
      fleet.kept.agentRefreshToken = answer.refresh_token
      const client = await connect(fleet, fleet.kept.agentToken)
      const { tools } = await client.listTools()
      await client.close()
      expectThat(!tools.some(({ name }) => name === 'run_task'), 'it is shown a tool that it may not use')
      return `a token for ${answer.expires_in / 3_600} hours; ${tools.length} of the orchestrator's tools are its to see`
    },
  },
  {
    name: 'the orchestrator delegates',
    async run(fleet) {
      const client = await connect(fleet, fleet.kept.agentToken)
      const steps = [
        { do: 'write', path: 'countersign.txt', text: 'Who goes there?\n' },
        { do: 'read', path: 'countersign.txt' },
      ]
      const { structuredContent } = await client.callTool({
        name: 'run_writing_task',
        arguments: { goal: 'leave a note', steps },
      })
      await client.close()
      const report = JSON.stringify(structuredContent)
      expectThat(report.includes('"state":"done"') && report.includes('Who goes there?'), `the task said ${report}`)
      const { subject, actor } = await callAtCoder(fleet, 'read_file')
      expectThat(subject === claimsOf(fleet.kept.agentToken).sub, `the coder met ${subject}`)
      expectThat(actor === fleet.agents.orchestratorId, `at the coder acts ${actor}`)
      return `2 steps, each with a token of its own; at the coder: sub ${subject}, act ${actor}`
    },
  },
  {
    name: 'the coder refuses that token',
    async run({ addresses, kept }) {
      const answer = await callTool(addresses['mcp-coder'], kept.agentToken, 'list_files')
      expectThat(answer.status === 401, `the orchestrator's token got ${answer.status}`)
      return '401 for the token that the orchestrator was sent'
    },
  },
  {
    name: 'a task that takes more is refused',
    async run({ addresses, kept }) {
      const args = { goal: 'look', steps: [{ do: 'run', argv: ['ls'] }] }
      const answer = await callTool(addresses['mcp-orchestrator'], kept.agentToken, 'run_task', args)
      const challenge = answer.headers.get('www-authenticate') ?? ''
      const [, scope] = /scope="([^"]*)"/.exec(challenge) ?? []
      expectThat(answer.status === 403 && scope === 'tasks:run coder:run', `${answer.status} ${challenge} came back`)
      return `403, and all that it takes: "${scope}"`
    },
  },
  {
    name: 'signed out, the agent stops',
    async run(fleet) {
      const { agents, addresses } = fleet
      const canRun = agents.coder.noCommands === undefined
      const answer = await signIn(fleet, canRun ? 'tasks:run coder:run' : 'tasks:run coder:write')
      const client = await connect(fleet, answer.access_token)
      const stream = await client.listen({ toolsListChanged: true })
      const task = canRun ? waitFor(client) : undefined
      if (canRun) await until(() => agents.coder.running() === 1, 'no command began')
      const out = await postJson(`${addresses.issuer}/auth/sign-out`, {
        refresh_token: answer.refresh_token,
        client_id: agents.app,
      })
      const since = performance.now()
      expectThat(out.status === 200, `signing out got ${out.status}`)
      await Promise.all([stream.closed, task, until(() => agents.coder.running() === 0, 'the command runs on')])
      const ms = performance.now() - since
      const after = await callTool(addresses['mcp-orchestrator'], answer.access_token, 'task_status')
      expectThat(after.status === 401, `then ${after.status} came back`)
      await client.close()
      const what = canRun ? 'task, command and stream' : `stream (no commands here: ${agents.coder.noCommands})`
      return `401; its ${what} ended ${ms.toFixed(0)} ms later`
    },
  },
]

interface Answer {
  readonly access_token: string
  readonly refresh_token: string
  readonly expires_in: number
}

async function signIn({ addresses, accounts, agents }: Fleet, scope: string): Promise<Answer> {
  const { identifier, secret } = accounts.user
  const words = { identifier, secret, client_id: agents.app, audience: 'mcp-orchestrator', scope }
  const { status, body } = await postJson(`${addresses.issuer}/auth/sign-in`, words)
  expectThat(status === 200, `the token service answered ${status} ${JSON.stringify(body.error)}`)
  return body
}

async function connect({ addresses }: Fleet, token: string): Promise<Client> {
  const client = new Client({ name: 'tour', version: '1.0.0' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
  const authProvider = { token: async () => token }
  await client.connect(new StreamableHTTPClientTransport(new URL(addresses['mcp-orchestrator']), { authProvider }))
  return client
}

/** A command that would take an hour. */
async function waitFor(client: Client): Promise<void> {
  const steps = [{ do: 'run', argv: ['sh', '-c', 'sleep 3600'] }]
  const ended = await client.callTool({ name: 'run_task', arguments: { goal: 'wait', steps } }).then(
    () => false,
    () => true,
  )
  expectThat(ended, 'the task was answered as if nothing had happened')
}

/** One call as it goes over the wire, to see what a client's library does by itself. */
function callTool(url: string, token: string, name: string, args: object = {}): ReturnType<typeof postJson> {
  const message = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } }
  const headers = { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-11-25' }
  return postJson(url, message, { ...headers, ...bearer(token) })
}

/** What the coder wrote of a call into its log. */
async function callAtCoder(
  { logFile }: Fleet,
  tool: string,
): Promise<{ readonly subject: string; readonly actor: string }> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const lines = (await readFile(logFile, 'utf8')).split('\n')
    const line = lines.findLast((one) => one.includes('"mcp-coder"') && one.includes(`"target":"${tool}"`))
    if (line !== undefined) return JSON.parse(line)
    if (performance.now() > deadline) throw new Surprise(`the coder's log has no call of ${tool}`)
    await sleep(20)
  }
}

async function until(holds: () => boolean, otherwise: string): Promise<void> {
  const deadline = performance.now() + patienceMs
  while (!holds()) {
    expectThat(performance.now() < deadline, otherwise)
    await sleep(5)
  }
}
