import { issuerRoutes } from '@countersign/issuer/express'
import {
  createLogger,
  createMetrics,
  createReporter,
  type Logger,
  type MetricsServer,
  startMetricsServer,
} from '@countersign/observability'
import type { PostgresEvent } from '@countersign/storage/postgres'
import { type ListeningServer, listen } from './http-server.ts'
import { type OpenOptions, openTokenService, type TokenServiceParts } from './open-token-service.ts'
import type { ResolvedConfig } from './resolve-config.ts'
import { createUndoStack } from './undo-stack.ts'

/** A token service that answers. */
export interface RunningTokenService extends TokenServiceParts {
  /** Where it listens, such as `http://127.0.0.1:4600`. */
  readonly url: string
  readonly metricsUrl: string | undefined
  readonly logger: Logger
  /** Resolves if the store can write no more (its disk failed): close, and let the process end and start anew. */
  readonly failed: Promise<Error>
}

export interface StartOptions extends Omit<OpenOptions, 'report' | 'onFatal' | 'onDatabaseEvent'> {
  /** Gets whole log lines. @default standard output */
  readonly logDestination?: { write(line: string): unknown }
}

/**
 * Starts the token service: store, key rings with their scheduler, issuer, HTTP face, metrics on a port of their own.
 *
 * @throws ServerError `not_initialised`, `address_unavailable`; StorageError, KeysError, SealingError and
 * ObservabilityError of the parts. Nothing stays open then.
 *
 * @example
 * const service = await startTokenService(await loadConfig({ cwd: process.cwd(), env: process.env }))
 * process.once('SIGTERM', () => service.close())
 */
export async function startTokenService(
  config: ResolvedConfig,
  options: StartOptions = {},
): Promise<RunningTokenService> {
  const { logDestination, ...openOptions } = options
  const logger = createLogger({
    level: config.logLevel,
    base: { service: 'token-service' },
    ...(logDestination === undefined ? {} : { destination: logDestination }),
  })
  const metrics = createMetrics()
  const report = createReporter({ logger, metrics })
  const failure = Promise.withResolvers<Error>()

  const opened = createUndoStack()
  try {
    const parts = await openTokenService(config, {
      scheduler: true,
      rememberClients: true,
      ...openOptions,
      report,
      onFatal: (error) => {
        logger.fatal('the store can write no more; the service has to start anew', { error })
        failure.resolve(error)
      },
      onDatabaseEvent: (event) => logDatabaseEvent(logger, event),
    })
    opened.push(() => parts.close())
    const stopFollowing = report.followRings([...parts.rings, parts.feedRing])
    opened.push(async () => stopFollowing())

    const { http, url } = await listenFor(parts, config, report)
    opened.push(() => http.close())
    // Before the server: its streams would hold it open for as long as running requests may take.
    opened.push(async () => parts.issuer.feed?.close())
    const metricsServer = await startMetrics(config, metrics.registry)
    if (metricsServer !== undefined) opened.push(() => metricsServer.close())

    logger.info('the token service listens', { url, issuer: config.issuer })
    return {
      ...parts,
      url,
      metricsUrl: metricsServer?.url,
      logger,
      failed: failure.promise,
      close: async () => {
        await opened.undo()
        logger.info('the token service has stopped')
      },
    }
  } catch (error) {
    await opened.undo()
    throw error
  }
}

function logDatabaseEvent(logger: Logger, event: PostgresEvent): void {
  switch (event.type) {
    case 'connected':
      logger.info('connected to the database', { host: event.host, port: event.port })
      break
    case 'disconnected':
      logger.error('the database cannot be reached; trying again', { error: event.error })
      break
    case 'migrated':
      logger.info('the tables were brought up to date', { version: `${event.to}` })
      break
    case 'not_durable':
      logger.warn('the database server may lose what it acknowledged', { reason: event.settings.join(', ') })
      break
  }
}

/** Connections beside those of the feed's streams, which stay open: streams must not take them all. */
const otherConnections = 8_000

async function listenFor(
  parts: TokenServiceParts,
  config: ResolvedConfig,
  report: ReturnType<typeof createReporter>,
): Promise<{ readonly http: ListeningServer; readonly url: string }> {
  const routes = issuerRoutes(parts.issuer, {
    trustedProxyHops: config.trustedProxyHops,
    maxStreams: config.maxStreams,
    onEvent: report.issuer,
  })
  const http = await listen(
    (request, response) => {
      report.http(request, response)
      routes(request, response)
    },
    {
      host: config.host,
      port: config.port,
      limits: { maxConnections: otherConnections + config.maxStreams },
    },
  )
  return { http, url: http.url }
}

async function startMetrics(
  config: ResolvedConfig,
  registry: ReturnType<typeof createMetrics>['registry'],
): Promise<MetricsServer | undefined> {
  return config.metrics === undefined ? undefined : await startMetricsServer({ registry, ...config.metrics })
}
