import type { RequestListener } from 'node:http'
import { type AuthModule, createAuthModule } from '@countersign/embedded'
import { createLogger, createMetrics, createReporter, type LogLevel } from '@countersign/observability'
import { listen } from '@countersign/server'
import { systemClock } from '@countersign/tokens'
import { mcpRoutes, reportCalls } from '@countersign-apps/kit/mcp'
import { openTools, type ToolsOptions } from '@countersign-apps/mcp-coder'
import { createLocalCoder } from './coder/local-coder.ts'
import { createOrchestratorServer } from './orchestrator-server.ts'
import { consumer, type Scope } from './scopes.ts'
import { createTasks } from './tasks/tasks.ts'

export interface StandaloneOptions extends ToolsOptions {
  /** Accounts, keys and the audit log; made at the first start. */
  readonly dataDir: string
  /** @default '127.0.0.1' */
  readonly host?: string
  /** 0 picks a free one. @default 4615 */
  readonly port?: number
  /** Where clients reach it, without a path; it is the issuer of its tokens. @default where it listens */
  readonly publicUrl?: string
  /** @default 'info' */
  readonly logLevel?: LogLevel
  /** Gets whole log lines. @default standard output */
  readonly logDestination?: { write(line: string): unknown }
}

export interface RunningStandalone {
  readonly url: string
  /** For those who add accounts in the same process. */
  readonly auth: AuthModule<Scope>
  /** Why there is no `run_command`; undefined if there is. */
  readonly noCommands: string | undefined
  close(): Promise<void>
}

/** The authentication of an orchestrator that runs alone: two-hour tokens of its own, for its accounts. */
export function openStandaloneAuth(options: {
  readonly dataDir: string
  readonly issuer: string
  readonly report?: ReturnType<typeof createReporter>
}): Promise<AuthModule<Scope>> {
  const { audience, scopes, accessTokenLifeSeconds } = consumer
  const { dataDir, issuer, report } = options
  return createAuthModule<Scope>({
    dataDir,
    issuer,
    audience,
    resource: `${issuer}/mcp`,
    scopes,
    tokenExpirySeconds: accessTokenLifeSeconds,
    ...(report === undefined ? {} : { report }),
  })
}

/**
 * Starts an orchestrator that needs no token service and no coder beside it: authentication through the embedded module,
 * the coder's tools in this process. Nothing stays open if a part cannot start.
 */
export async function startStandalone(options: StandaloneOptions): Promise<RunningStandalone> {
  const { dataDir, host = '127.0.0.1', port = 4615, logDestination } = options
  const logger = createLogger({
    level: options.logLevel ?? 'info',
    base: { service: consumer.audience },
    ...(logDestination === undefined ? {} : { destination: logDestination }),
  })
  const report = createReporter({ logger, metrics: createMetrics({ surfaces: ['http', 'mcp'] }) })
  const onFault = (error: unknown): void => logger.error('a request could not be answered', { error })
  const opened: (() => unknown)[] = []
  const close = async (): Promise<void> => {
    for (const end of opened.splice(0).reverse()) await end()
  }
  let handler: RequestListener = (_request, response) => void response.writeHead(503, { 'Retry-After': '1' }).end()
  try {
    const tools = await openTools(options)
    opened.push(() => tools.close())
    const listening = await listen((request, response) => handler(request, response), { host, port })
    const issuer = options.publicUrl ?? listening.url
    const auth = await openStandaloneAuth({ dataDir, issuer, report }).catch(async (error: unknown) => {
      await listening.close()
      throw error
    })
    opened.push(() => auth.close())
    // Before what its requests need, and after what keeps them open.
    opened.push(() => listening.close())
    const tasks = createTasks(systemClock)
    const guarded = createOrchestratorServer({
      guard: auth.guard,
      coder: createLocalCoder(tools),
      tasks,
      onEvent: reportCalls(logger),
      onFault,
    })
    const realm = consumer.audience
    const http = await guarded.http({ resource: `${issuer}/mcp`, baselineScopes: ['tasks:read'], realm })
    opened.push(
      () => http.close(),
      () => tasks.close(),
    )
    const routes = mcpRoutes({ guard: auth.guard, realm, mcp: http.node, onFault })
    const issuerRoutes = auth.routes()
    handler = (request, response) => {
      report.http(request, response)
      if (ofIssuer.test(request.url ?? '')) return issuerRoutes(request, response)
      routes(request, response)
    }
    if (tools.noCommands !== undefined) logger.warn('there is no command tool', { reason: tools.noCommands })
    logger.info('listens', { url: listening.url, issuer, audience: consumer.audience })
    return { url: listening.url, auth, noCommands: tools.noCommands, close }
  } catch (error) {
    await close()
    throw error
  }
}

const ofIssuer =
  /^\/(?:auth\/|oauth\/|revocations|\.well-known\/(?:jwks\.json|openid-configuration|oauth-authorization-server))/
