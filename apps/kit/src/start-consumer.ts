import type { Server } from 'node:http'
import { type ConsumerLike, createGuard, type Guard, type IssuerGuardOptions } from '@countersign/guard'
import {
  createLogger,
  createMetrics,
  createReporter,
  type Logger,
  type LogLevel,
  type Metrics,
  type Reporter,
  startMetricsServer,
} from '@countersign/observability'
import { listen, type RequestHandler } from '@countersign/server'
import { createTokenSource } from '@countersign/token-source'
import { reportFeed } from './report-feed.ts'

/** What every consumer of the fleet is started with. */
export interface ConsumerStartOptions {
  /** Whose tokens are accepted. */
  readonly issuer: string
  /** @default '127.0.0.1' */
  readonly host?: string
  /** 0 picks a free one. @default the consumer's usual one */
  readonly port?: number
  /** Where clients reach this service (RFC 9728). @default the consumer's; on loopback, where it really listens */
  readonly resource?: string
  /** How the issuer's keys are read; under a demo key policy `{ demo: { scale } }`. */
  readonly jwks?: IssuerGuardOptions['jwks']
  /** Whether the issuer's revocation feed is followed, where it has one. @default 'follow' */
  readonly revocations?: 'follow' | 'off'
  /**
   * The service's own account, named like its audience: it tells the issuer which keys and revocations it holds.
   * @default nobody is told
   */
  readonly acknowledgeAs?: { readonly id: string; readonly secret: string }
  /** Serves `/metrics` on loopback at this port; 0 picks a free one. @default no metrics */
  readonly metricsPort?: number
  /** @default 'info' */
  readonly logLevel?: LogLevel
  /** Gets whole log lines. @default standard output */
  readonly logDestination?: { write(line: string): unknown }
}

export interface RunningConsumer {
  readonly url: string
  readonly metricsUrl: string | undefined
  /** Resolves once keys and revocations are known; before, requests with a token may get 503. */
  whenReady(): Promise<void>
  /** Lets requests under way end, then stops everything that was started. */
  close(): Promise<void>
}

/** What the service itself is made with. */
export interface ServiceContext<Scope extends string> {
  readonly guard: Guard<Scope>
  readonly logger: Logger
  readonly metrics: Metrics
  /** Callbacks for the events of the service's own parts. */
  readonly report: Reporter
  /** Where it listens. */
  readonly url: string
  readonly server: Server
  /** To be ended when the service ends, in the reverse order; the server before all of it. */
  onClose(part: { close(): unknown }): void
  /** To be ended before the server, which waits for its requests: what keeps them open. */
  beforeClose(part: { close(): unknown }): void
  readonly onFault: (error: unknown) => void
}

export interface ConsumerDefinition<Scope extends string> {
  readonly consumer: ConsumerLike<Scope>
  readonly usualPort: number
  /** Whether sockets, and tokens that come over them, are counted as well. @default false */
  readonly webSockets?: boolean
  /** How its other adapters name themselves, for tokens to be counted by. @default none */
  readonly surfaces?: readonly string[]
  make(context: ServiceContext<Scope>): RequestHandler | Promise<RequestHandler>
}

/** Starts a consumer: server, guard, logs and metrics, then its own routes. Nothing stays open if a part cannot start. */
export async function startConsumer<Scope extends string>(
  options: ConsumerStartOptions,
  { consumer, usualPort, webSockets = false, surfaces = [], make }: ConsumerDefinition<Scope>,
): Promise<RunningConsumer> {
  const { issuer, host = '127.0.0.1', port = usualPort, metricsPort } = options
  const metrics = createMetrics({ surfaces: ['http', ...(webSockets ? ['websocket'] : []), ...surfaces], webSockets })
  const logger = createLogger({
    level: options.logLevel ?? 'info',
    base: { service: consumer.audience },
    ...(options.logDestination === undefined ? {} : { destination: options.logDestination }),
  })
  const report = createReporter({ metrics, logger })
  const parts: { close(): unknown }[] = []
  const early: { close(): unknown }[] = []
  let closeServer = async (): Promise<void> => undefined
  const close = async (): Promise<void> => {
    for (const part of early.splice(0).reverse()) await part.close()
    // Requests under way need the rest.
    await closeServer()
    for (const part of parts.splice(0).reverse()) await part.close()
  }
  let handler: RequestHandler = (_request, response) => void response.writeHead(503, { 'Retry-After': '1' }).end()
  try {
    const listening = await listen((request, response) => handler(request, response), { host, port })
    closeServer = () => listening.close()
    const { server, url } = listening
    server.prependListener('request', report.http)
    const { acknowledgeAs } = options
    const grant = { type: 'client_credentials', audience: consumer.audience } as const
    const source = acknowledgeAs && createTokenSource({ issuer, client: acknowledgeAs, grant })
    if (source !== undefined) parts.push({ close: () => source.close() })
    const guard = createGuard({
      issuer,
      consumer,
      resource: options.resource ?? resourceOf(consumer, url),
      jwks: { onEvent: report.jwks, ...options.jwks },
      feed: {
        onEvent: reportFeed(logger),
        ...(source === undefined ? {} : { ack: (asked) => source.getToken(asked) }),
      },
      onEvent: report.guard,
      ...(options.revocations === 'off' ? { revocations: false } : {}),
    })
    parts.push(guard)
    // From now on, not from the first request on.
    void guard.whenReady()
    const onFault = (error: unknown): void => logger.error('a request could not be answered', { error })
    handler = await make({
      guard,
      logger,
      metrics,
      report,
      url,
      server,
      onClose: (part) => parts.push(part),
      beforeClose: (part) => early.push(part),
      onFault,
    })
    const metricsServer =
      metricsPort === undefined
        ? undefined
        : await startMetricsServer({ registry: metrics.registry, port: metricsPort })
    if (metricsServer !== undefined) parts.push(metricsServer)
    logger.info('listens', { url, issuer, audience: consumer.audience })
    return { url, metricsUrl: metricsServer?.url, whenReady: () => guard.whenReady(), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** A loopback address in the matrix names the usual port; a port that was taken must not make clients look there. */
function resourceOf({ resource }: ConsumerLike, url: string): string {
  if (resource === undefined) return url
  return new URL(resource).protocol === 'http:' ? url : resource
}
