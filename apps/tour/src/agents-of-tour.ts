import { join } from 'node:path'
import type { RunningTokenService } from '@countersign/server'
import { type RunningCoder, startCoder } from '@countersign-apps/mcp-coder'
import { startOrchestrator } from '@countersign-apps/mcp-orchestrator'

export interface AgentsOfTour {
  readonly addresses: { readonly 'mcp-orchestrator': string; readonly 'mcp-coder': string }
  /** The app that an agent signs people in through. */
  readonly app: string
  /** As whom the orchestrator acts. */
  readonly orchestratorId: string
  readonly coder: Pick<RunningCoder, 'noCommands' | 'running'>
  close(): Promise<void>
}

/** The MCP server that agents give their tasks to, and the one that does them. */
export async function startAgents(options: {
  readonly service: RunningTokenService
  readonly issuer: string
  readonly jwks: { readonly demo: { readonly scale: number } }
  readonly dir: string
  readonly ports: { readonly orchestrator: number; readonly coder: number }
  readonly logDestination: { write(line: string): unknown }
}): Promise<AgentsOfTour> {
  const { service, issuer, jwks, dir, ports, logDestination } = options
  const common = { issuer, jwks, logDestination, logLevel: 'debug' as const }
  const { clients } = service.issuer
  const app = 'coding-agent'
  await clients.add({
    name: app,
    type: 'public',
    grants: ['sign_in', 'refresh_token'],
    audiences: ['mcp-orchestrator'],
  })
  const { client, secret = '' } = await clients.add({
    name: 'mcp-orchestrator',
    grants: ['client_credentials', 'token_exchange'],
    audiences: ['mcp-orchestrator', 'mcp-coder'],
  })
  const coder = await startCoder({ ...common, port: ports.coder, workspaces: join(dir, 'workspaces') })
  try {
    const orchestrator = await startOrchestrator({
      ...common,
      port: ports.orchestrator,
      coder: `${coder.url}/mcp`,
      client: { id: client.id, secret: secret ?? '' },
    })
    const { noCommands, running } = coder
    return {
      addresses: { 'mcp-orchestrator': `${orchestrator.url}/mcp`, 'mcp-coder': `${coder.url}/mcp` },
      app,
      orchestratorId: client.id,
      coder: { noCommands, running },
      async close() {
        await orchestrator.close()
        await coder.close()
      },
    }
  } catch (error) {
    await coder.close()
    throw error
  }
}
