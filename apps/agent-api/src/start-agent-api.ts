import { createGuard, type IssuerGuardOptions } from '@countersign/guard'
import {
  createLogger,
  createMetrics,
  createReporter,
  type Logger,
  type LogLevel,
  startMetricsServer,
} from '@countersign/observability'
import type { FeedEvent } from '@countersign/revocation'
import { createTokenSource } from '@countersign/token-source'
import { type CheckoutOptions, createCheckout } from './checkout.ts'
import { createAgentApi } from './create-agent-api.ts'
import { listen } from './listen.ts'
import { type AgentApiConsumer, consumer as fleetConsumer } from './scopes.ts'
import { createSupport, type SupportOptions } from './support.ts'

export interface StartOptions {
  /** Whose tokens are accepted. */
  readonly issuer: string
  /** @default '127.0.0.1' */
  readonly host?: string
  /** 0 picks a free one. @default 4610 */
  readonly port?: number
  /** @default the fleet's own entry */
  readonly consumer?: AgentApiConsumer
  /** Where clients reach this service (RFC 9728). @default the consumer's; on loopback, where it really listens */
  readonly resource?: string
  /** How the issuer's keys are read; under a demo key policy `{ demo: { scale } }`. */
  readonly jwks?: IssuerGuardOptions['jwks']
  /** Whether the issuer's revocation feed is followed; `off`: tokens are good until they expire. @default 'follow' */
  readonly revocations?: 'follow' | 'off'
  /** Serves `/metrics` on loopback at this port; 0 picks a free one. @default no metrics */
  readonly metricsPort?: number
  /** Where orders are billed, and as whom this service exchanges its customers' tokens. @default nothing can be bought */
  readonly checkout?: Omit<CheckoutOptions, 'issuer'>
  /** Where customers' requests for help go, and as whom this service exchanges their tokens. @default nobody can be asked */
  readonly support?: Omit<SupportOptions, 'issuer'>
  /** This service's own account: it tells the issuer which keys and revocations it holds. @default nobody is told */
  readonly acknowledgeAs?: { readonly id: string; readonly secret: string }
  /** @default 'info' */
  readonly logLevel?: LogLevel
  /** Gets whole log lines. @default standard output */
  readonly logDestination?: { write(line: string): unknown }
}

export interface RunningAgentApi {
  readonly url: string
  readonly metricsUrl: string | undefined
  /** Resolves once keys and revocations are known; before, requests with a token get 503. */
  whenReady(): Promise<void>
  /** Lets requests under way end, then stops everything that was started. */
  close(): Promise<void>
}

/** Starts the agent API: guard, routes, server, logs and metrics. Nothing stays open if a part cannot start. */
export async function startAgentApi(options: StartOptions): Promise<RunningAgentApi> {
  const { issuer, host = '127.0.0.1', port = 4610, consumer = fleetConsumer } = options
  const metrics = createMetrics({ surfaces: ['http', 'websocket'], webSockets: true })
  const logger = createLogger({
    level: options.logLevel ?? 'info',
    base: { service: 'agent-api' },
    ...(options.logDestination === undefined ? {} : { destination: options.logDestination }),
  })
  const report = createReporter({ metrics, logger })
  // Ended in this order: the server first, since requests under way need the rest.
  const parts: { close(): Promise<void> }[] = []
  const close = async (): Promise<void> => {
    for (const part of parts.splice(0)) await part.close()
  }
  try {
    const listening = await listen(host, port)
    const { server, url } = listening
    parts.push(listening)
    const { acknowledgeAs } = options
    const grant = { type: 'client_credentials', audience: consumer.audience } as const
    const source = acknowledgeAs && createTokenSource({ issuer, client: acknowledgeAs, grant })
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
    parts.push(guard, { close: async () => source?.close() })
    // From now on, not from the first request on.
    void guard.whenReady()
    const onFault = (error: unknown): void => logger.error('a request could not be answered', { error })
    const checkout = options.checkout === undefined ? undefined : createCheckout({ issuer, ...options.checkout })
    if (checkout !== undefined) parts.push({ close: async () => checkout.close() })
    const support = options.support === undefined ? undefined : createSupport({ issuer, ...options.support })
    if (support !== undefined) parts.push({ close: async () => support.close() })
    const { app, sockets } = createAgentApi({
      guard,
      onFault,
      chat: { onEvent: report.webSocket },
      ...(checkout === undefined ? {} : { checkout }),
      ...(support === undefined ? {} : { support }),
    })
    server.on('request', report.http).on('request', app)
    sockets.mount(server, '/chat')
    // Before the server, which waits for its connections.
    parts.unshift(sockets)
    const { metricsPort } = options
    const metricsServer =
      metricsPort === undefined
        ? undefined
        : await startMetricsServer({ registry: metrics.registry, port: metricsPort })
    if (metricsServer !== undefined) parts.push(metricsServer)
    logger.info('the agent API listens', { url, issuer, audience: consumer.audience })
    return {
      url,
      metricsUrl: metricsServer?.url,
      whenReady: guard.whenReady,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

function reportFeed(logger: Logger): (event: FeedEvent) => void {
  return (event) => {
    if (event.type === 'feed_freshness') {
      const seconds = Math.round(event.ageSeconds)
      logger[event.level === 'fresh' ? 'info' : 'warn']('revocation news', { state: event.level, seconds })
    } else if (event.type === 'feed_failed') {
      logger.warn('revocation news could not be had', { code: event.error.code, error: event.error })
    }
  }
}

/** A loopback address in the matrix names the usual port; a port that was taken must not make clients look there. */
function resourceOf({ resource }: AgentApiConsumer, url: string): string {
  if (resource === undefined) return url
  return new URL(resource).protocol === 'http:' ? url : resource
}
