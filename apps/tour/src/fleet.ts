import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { finished } from 'node:stream/promises'
import { demoPolicy } from '@countersign/keys'
import { createDataDir, loadConfig, startTokenService } from '@countersign/server'
import { startAgentApi } from '@countersign-apps/agent-api'
import { consumers } from '@countersign-apps/token-service/consumers'
import { startServer } from '@countersign-tooling/postgres'
import { type AgentsOfTour, startAgents } from './agents-of-tour.ts'
import type { TourArguments } from './arguments.ts'
import { type BridgeOfTour, startClerk } from './bridge-of-tour.ts'
import { newPassword, startCmuxOfTour } from './cmux-of-tour.ts'
import { type MonitorOfTour, startMonitorOfTour } from './monitor-of-tour.ts'
import { type RunboardOfTour, startRunboard } from './runboard-of-tour.ts'
import { startSupport } from './support-of-tour.ts'
import { Surprise } from './walk.ts'
import { addWorkerAccounts, type OwnAccount, startWorkers } from './workers-of-tour.ts'

interface Account {
  readonly identifier: string
  secret: string
}

/** The fleet while it runs, and what the walk has in hand so far. */
export interface Fleet {
  readonly addresses: {
    readonly issuer: string
    readonly 'agent-api': string
    readonly metrics: string
    readonly cmux: string
    readonly 'analytics-service': string
    readonly 'billing-worker': string
    readonly 'support-console': string
    readonly 'synthetic-monitor': string
    readonly 'mcp-orchestrator': string
    readonly 'mcp-coder': string
    readonly runboard: string
  }
  readonly configFile: string
  readonly dataDir: string
  /** Where the fleet's log lines go. */
  readonly logFile: string
  readonly accounts: {
    readonly user: Account
    /** A service account. */
    readonly service: Account
    /** The app that signs people in; public, so it has no secret. */
    readonly app: { readonly identifier: string }
    /** Who sits before the support console. */
    readonly operator: Account
    /** Nobody in particular: whoever knows the password. */
    readonly cmux: Account
  }
  readonly kept: {
    userToken: string
    refreshToken: string
    spentRefreshToken: string
    serviceToken: string
    cmuxToken: string
    agentToken: string
    chatToken: string
    agentRefreshToken: string
    clerkToken: string
  }
  /** Of what runs in the background. */
  readonly workers: {
    readonly analyticsDatabase: string
    readonly etl: OwnAccount
    readonly billing: OwnAccount
    /** How often the payment provider charged. */
    charges(): number
  }
  /** Its accounts. */
  readonly monitor: Pick<MonitorOfTour, 'account' | 'password'>
  readonly runboard: Pick<RunboardOfTour, 'convexUrl' | 'siteUrl' | 'clerkUrl'>
  readonly agents: Pick<AgentsOfTour, 'app' | 'orchestratorId' | 'coder'>
  readonly bridge: BridgeOfTour
  /** With another password, over the same data. */
  restartCmux(password: string): Promise<void>
  close(): Promise<void>
}

const preferredPorts = {
  issuer: 4600,
  metrics: 4601,
  'agent-api': 4610,
  'analytics-service': 4611,
  'billing-worker': 4612,
  'support-console': 4613,
  'synthetic-monitor': 4614,
  'mcp-orchestrator': 4615,
  'mcp-coder': 4616,
  cmux: 4620,
  payments: 4622,
  runboard: 4624,
} as const

/** Readers of the JWKS are quickened as the rotation policy is. */
const demoScale = demoPolicy({ accessTokenLifeSeconds: 600 }).demo?.scale ?? 1

/** The port if nobody listens there, else a free one. */
async function portNear(preferred: number): Promise<number> {
  const probe = (port: number): Promise<number | undefined> =>
    new Promise((done) => {
      const server = createServer()
      server.once('error', () => done(undefined))
      server.listen(port, '127.0.0.1', () => {
        const address = server.address()
        server.close(() => done(typeof address === 'object' && address !== null ? address.port : undefined))
      })
    })
  const port = (await probe(preferred)) ?? (await probe(0))
  if (port === undefined) throw new Surprise('no free port on 127.0.0.1')
  return port
}

async function emptyFolder(dataDir: string | undefined): Promise<{ readonly dir: string; readonly remove: boolean }> {
  if (dataDir === undefined) return { dir: await mkdtemp(join(tmpdir(), 'countersign-')), remove: true }
  const dir = resolve(dataDir)
  await mkdir(dir, { recursive: true, mode: 0o700 })
  if ((await readdir(dir)).length > 0) throw new Surprise(`${dir} is not empty: the tour begins with nothing`)
  return { dir, remove: false }
}

/** @throws Surprise when there is no PostgreSQL on this machine to start */
async function openDatabase(
  postgres: TourArguments['postgres'],
): Promise<{ readonly url: string; end(): Promise<void> } | undefined> {
  if (postgres === undefined) return undefined
  if (postgres !== 'own') return { url: postgres.url, end: async () => undefined }
  try {
    const server = await startServer({ durable: true })
    return { url: server.url(), end: () => server.end() }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new Surprise(`no PostgreSQL server could be started: ${why}
Or give the address of one: --database-url URL`)
  }
}

/**
 * Starts the token service and the agent API on loopback, with the `demo` rotation policy, so that a whole rotation takes
 * seconds. The configuration is written to a file, so that `countersign … --config FILE` works beside it.
 */
export async function startFleet({ dataDir, postgres }: Pick<TourArguments, 'dataDir' | 'postgres'>): Promise<Fleet> {
  const { dir, remove } = await emptyFolder(dataDir)
  const database = await openDatabase(postgres)
  const issuerPort = await portNear(preferredPorts.issuer)
  const issuer = `http://127.0.0.1:${issuerPort}`
  const configFile = join(dir, 'countersign.config.json')
  const configuration = {
    issuer,
    port: issuerPort,
    dataDir: 'data',
    consumers,
    keys: { policy: 'demo' },
    metrics: { port: await portNear(preferredPorts.metrics) },
    log: { level: 'debug' },
    ...(database === undefined ? {} : { database: database.url }),
  }
  await writeFile(configFile, `${JSON.stringify(configuration, null, 2)}\n`, { mode: 0o600 })

  const config = await loadConfig({ file: configFile, cwd: dir })
  await createDataDir(config)
  const logFile = join(dir, 'fleet.log')
  const log = createWriteStream(logFile, { mode: 0o600 })
  const parts: { close(): Promise<void> }[] = []
  const close = async (): Promise<void> => {
    for (const part of parts.splice(0).reverse()) await part.close()
    await database?.end()
    log.end()
    await finished(log)
    if (remove) await rm(dir, { recursive: true, force: true })
  }
  try {
    const clerk = await startClerk()
    parts.push(clerk)
    const subjectVerifiers = [clerk.subjects]
    const service = await startTokenService({ ...config, subjectVerifiers }, { logDestination: log })
    parts.push(service)
    const runboardStarts = startRunboard({
      port: await portNear(preferredPorts.runboard),
      logDestination: log,
    })
    // Looked at when the others run: until then its failure is nobody's.
    runboardStarts.catch(() => undefined)
    parts.push({ close: () => runboardStarts.then((one) => one.close()).catch(() => undefined) })
    const own = await addWorkerAccounts(service)
    const jwks = { demo: { scale: demoScale } }
    const billingPort = await portNear(preferredPorts['billing-worker'])
    const supportPort = await portNear(preferredPorts['support-console'])
    const agentApi = await startAgentApi({
      issuer,
      acknowledgeAs: own.agentApi,
      support: { console: `http://127.0.0.1:${supportPort}`, client: own.agentApi },
      checkout: { billing: `http://127.0.0.1:${billingPort}`, client: own.agentApi },
      port: await portNear(preferredPorts['agent-api']),
      jwks,
      logLevel: 'debug',
      logDestination: log,
    })
    parts.push(agentApi)
    const workers = await startWorkers({
      issuer,
      jwks,
      dir,
      ports: {
        analytics: await portNear(preferredPorts['analytics-service']),
        billing: billingPort,
        provider: await portNear(preferredPorts.payments),
      },
      account: own.billing,
      analyticsAccount: own.analytics,
      logDestination: log,
    })
    parts.push(workers)
    const monitor = await startMonitorOfTour({
      service,
      issuer,
      jwks,
      agentApi: agentApi.url,
      port: await portNear(preferredPorts['synthetic-monitor']),
      logDestination: log,
    })
    parts.push(monitor)
    const agents = await startAgents({
      service,
      issuer,
      jwks,
      dir,
      ports: {
        orchestrator: await portNear(preferredPorts['mcp-orchestrator']),
        coder: await portNear(preferredPorts['mcp-coder']),
      },
      logDestination: log,
    })
    parts.push(agents)
    const support = await startSupport({
      service,
      config,
      jwks,
      port: supportPort,
      agentApi: agentApi.url,
      logDestination: log,
    })
    parts.push(support)
    await agentApi.whenReady()
    const password = newPassword()
    const cmux = await startCmuxOfTour({
      port: await portNear(preferredPorts.cmux),
      dataDir: join(dir, 'cmux'),
      password,
      logDestination: log,
    })
    parts.push(cmux)
    const runboard = await runboardStarts
    return {
      addresses: {
        issuer,
        'agent-api': agentApi.url,
        metrics: service.metricsUrl ?? '',
        cmux: cmux.url,
        ...workers.addresses,
        'support-console': support.url,
        'synthetic-monitor': monitor.url,
        ...agents.addresses,
        runboard: runboard.url,
      },
      configFile,
      dataDir: dir,
      logFile,
      accounts: {
        user: { identifier: 'ada', secret: '' },
        service: { identifier: 'nightly-etl', secret: '' },
        app: { identifier: 'web' },
        operator: support.operator,
        cmux: { identifier: 'cmux', secret: password },
      },
      kept: {
        userToken: '',
        refreshToken: '',
        spentRefreshToken: '',
        serviceToken: '',
        cmuxToken: '',
        agentToken: '',
        chatToken: '',
        agentRefreshToken: '',
        clerkToken: '',
      },
      workers: {
        analyticsDatabase: workers.analyticsDatabase,
        etl: own.etl,
        billing: own.billing,
        charges: workers.charges,
      },
      monitor,
      runboard,
      agents,
      bridge: await clerk.open(service, issuer),
      restartCmux: (changed) => cmux.restart(changed),
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}
