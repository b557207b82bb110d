import { createGuard } from '@countersign/guard'
import { type Clock, systemClock } from '@countersign/tokens'
import { consumer as agentApi, createAgentApi, UsageLog } from '@countersign-apps/agent-api'
import { type Served, serve, startTestTokenService } from '@countersign-apps/kit/testing'
import { consumers } from '@countersign-apps/token-service/consumers'

/** A token service and an agent-api on loopback, on a clock that can be moved, with much that was used. */
export interface TestFleet {
  readonly folder: string
  readonly issuer: string
  readonly agentApi: Served
  readonly client: { readonly id: string; readonly secret: string }
  readonly clock: Clock & { move(seconds: number): void }
  /** Status of each page that was answered. */
  readonly pages: readonly number[]
  /** Called when a page was answered. */
  onPage: (count: number) => unknown
  stopIssuer(): Promise<void>
  startIssuer(): Promise<void>
  close(): Promise<void>
}

export async function startTestFleet({ rows }: { readonly rows: number }): Promise<TestFleet> {
  let moved = 0
  const clock = {
    ...systemClock,
    now: () => Date.now() / 1000 + moved,
    monotonicMs: () => performance.now() + moved * 1000,
    move: (seconds: number) => {
      moved += seconds
    },
  }
  const tokens = await startTestTokenService({
    consumers,
    clients: [{ name: 'analytics-etl', grants: ['client_credentials'], audiences: ['agent-api'] }],
    // Each move of the clock ends the signer's lease, until it reads the store again: in 0.1 s, not in 10 s.
    config: { keys: { policy: 'demo' } },
    start: { clock, logDestination: { write: () => undefined } },
  })
  const { issuer } = tokens
  const usage = new UsageLog(rows)
  for (let index = 0; index < rows; index += 1) usage.add({ agent: 'concierge', words: index % 7, at: 1_800_000_000 })
  const guard = createGuard({ issuer, consumer: agentApi, clock, revocations: false })
  const api = createAgentApi({ guard, usage })
  const pages: number[] = []
  const served = await serve((request, response) => {
    response.once('finish', () => {
      pages.push(response.statusCode)
      fleet.onPage(pages.length)
    })
    api.app(request, response)
  })
  const fleet: TestFleet = {
    folder: tokens.folder,
    issuer,
    agentApi: served,
    client: tokens.account('analytics-etl'),
    clock,
    pages,
    onPage: () => undefined,
    stopIssuer: tokens.stop,
    startIssuer: tokens.start,
    async close() {
      await served.close()
      await guard.close()
      await tokens.close()
    },
  }
  return fleet
}
