import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGuard } from '@countersign/guard'
import { createDataDir, type RunningTokenService, resolveConfig, startTokenService } from '@countersign/server'
import { type Clock, systemClock } from '@countersign/tokens'
import { consumer as agentApi, createAgentApi, UsageLog } from '@countersign-apps/agent-api'
import { type Served, serve } from '@countersign-apps/kit/testing'
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

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

export async function startTestFleet({ rows }: { readonly rows: number }): Promise<TestFleet> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-analytics-'))
  let moved = 0
  const clock = {
    ...systemClock,
    now: () => Date.now() / 1000 + moved,
    monotonicMs: () => performance.now() + moved * 1000,
    move: (seconds: number) => {
      moved += seconds
    },
  }
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const config = await resolveConfig(
    {
      issuer,
      port,
      consumers,
      metrics: false,
      log: { level: 'silent' },
      // Each move of the clock ends the signer's lease, until it reads the store again: in 0.1 s, not in 10 s.
      keys: { policy: 'demo' },
    },
    { baseDir: folder, env: {} },
  )
  await createDataDir(config)
  const start = () => startTokenService(config, { clock, logDestination: { write: () => undefined } })
  let service: RunningTokenService | undefined = await start()
  const { client, secret } = await service.issuer.clients.add({
    name: 'analytics-etl',
    grants: ['client_credentials'],
    audiences: ['agent-api'],
  })
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
    folder,
    issuer,
    agentApi: served,
    client: { id: client.id, secret: secret ?? '' },
    clock,
    pages,
    onPage: () => undefined,
    async stopIssuer() {
      await service?.close()
      service = undefined
    },
    async startIssuer() {
      service = await start()
    },
    async close() {
      await served.close()
      await guard.close()
      await service?.close()
      await rm(folder, { recursive: true })
    },
  }
  return fleet
}
