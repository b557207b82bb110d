import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createGuard, type Guard } from '@countersign/guard'
import type { Issuer } from '@countersign/issuer'
import { issuerRoutes } from '@countersign/issuer/express'
import type { GuardedHttp, HttpOptions, McpEvent } from '@countersign/mcp'
import type { GuardedHttpServer } from '@countersign/mcp/v2'
import { createDataDir, openTokenService, resolveConfig } from '@countersign/server'
import { type Clock, systemClock } from '@countersign/tokens'
import { buildV1 } from './build-v1.ts'
import { buildV2 } from './build-v2.ts'
import { type FixtureOptions, type FixtureScope, scopes } from './fixtures.ts'

export type Sdk = 'v1' | 'v2'

/** A guarded MCP server, an audience of its own. */
export interface GuardedServer {
  readonly audience: string
  /** Its RFC 8707 resource, too. */
  readonly endpoint: string
  readonly events: readonly McpEvent[]
}

export interface RigClient {
  readonly id: string
  readonly name: string
  readonly secret: string
}

/** A real token service, and the fixtures behind the guard by both SDKs, on loopback. */
export interface Rig {
  readonly issuer: string
  readonly service: Issuer
  readonly servers: Readonly<Record<Sdk, GuardedServer>>
  /** A confidential client; good for both servers unless told otherwise. */
  addClient(
    name: string,
    more?: { readonly audiences?: readonly string[]; readonly scopes?: readonly string[] },
  ): Promise<RigClient>
  /** Sets the wall clock of all of it ahead. */
  pass(seconds: number): void
  close(): Promise<void>
}

export interface RigOptions {
  /** Whether the guards follow the issuer's feed; news from before a leap of the clock are too old. @default true */
  readonly revocations?: boolean
  /** Of the issuer's URL. @default none */
  readonly issuerPath?: string
}

/** Starts it all; nothing stays open when it fails. */
export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const ends: (() => Promise<unknown>)[] = []
  const close = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end()
  }
  try {
    return { ...(await start(ends, options)), close }
  } catch (error) {
    await close()
    throw error
  }
}

async function start(ends: (() => Promise<unknown>)[], options: RigOptions): Promise<Omit<Rig, 'close'>> {
  let ahead = 0
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + ahead }
  const folder = await mkdtemp(join(tmpdir(), 'countersign-mcp-interop-'))
  ends.push(() => rm(folder, { recursive: true, force: true }))

  // All ports are known before anybody is told where anybody is.
  const doors = { issuer: await openDoor(), v1: await openDoor(), v2: await openDoor() }
  const issuer = doors.issuer.origin + (options.issuerPath ?? '')
  const consumerOf = (door: Door) => ({
    scopes,
    obtainedBy: ['client-credentials'],
    resource: `${door.origin}/mcp`,
  })
  const config = await resolveConfig(
    {
      ...{ issuer, metrics: false, log: { level: 'silent' } },
      consumers: { 'fixtures-v1': consumerOf(doors.v1), 'fixtures-v2': consumerOf(doors.v2) },
    },
    { baseDir: folder, env: {} },
  )
  await createDataDir(config)
  const parts = await openTokenService(config, { feed: true, clock })
  ends.push(() => parts.close())
  doors.issuer.serve(issuerRoutes(parts.issuer))
  ends.push(doors.issuer.close, async () => parts.issuer.feed?.close())

  const serve = async (sdk: Sdk): Promise<GuardedServer> => {
    const audience = `fixtures-${sdk}`
    const endpoint = `${doors[sdk].origin}/mcp`
    const guard: Guard<FixtureScope> = createGuard({
      ...{ issuer, clock, resource: endpoint },
      ...(options.revocations === false ? { revocations: false } : {}),
      consumer: { audience, scopes },
    })
    ends.push(async () => guard.close())
    const events: McpEvent[] = []
    const built = { guard, onEvent: (event: McpEvent) => events.push(event) }
    const where = { resource: endpoint, baselineScopes: ['fixtures:read'] as const }
    const http = sdk === 'v1' ? await buildV1(built).http(where) : await serveV2(built, where)
    doors[sdk].serve(http.node)
    ends.push(doors[sdk].close, () => http.close())
    await guard.whenReady()
    return { audience, endpoint, events }
  }
  const servers = { v1: await serve('v1'), v2: await serve('v2') }

  return {
    issuer,
    service: parts.issuer,
    servers,
    async addClient(name, more = {}) {
      const { client, secret } = await parts.issuer.clients.add({
        ...{ name, grants: ['client_credentials'], audiences: ['fixtures-v1', 'fixtures-v2'] },
        ...more,
      })
      return { id: client.id, name, secret: secret ?? '' }
    },
    pass(seconds) {
      ahead += seconds
    },
  }
}

async function serveV2(options: FixtureOptions, where: HttpOptions<FixtureScope>): Promise<GuardedHttp> {
  let http: GuardedHttpServer | undefined
  http = await buildV2({ ...options, notifier: () => http?.notify }).http(where)
  return http
}

interface Door {
  readonly origin: string
  readonly serve: (handler: RequestListener) => void
  readonly close: () => Promise<void>
}

/** A port of loopback that is taken before anybody is behind it. */
export async function openDoor(): Promise<Door> {
  let behind: RequestListener = (_request, response) => response.writeHead(503).end()
  const server = createServer((request, response) => behind(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    origin: `http://127.0.0.1:${port}`,
    serve(handler) {
      behind = handler
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
