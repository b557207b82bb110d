import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AuditLogEvent } from './audit-log.ts'
import type { KeyRingLike } from './key-metrics.ts'
import type { Observers } from './observe.ts'
import { observeAudit } from './observe-audit.ts'
import { type GuardEventLike, observeGuard } from './observe-guard.ts'
import { type HttpObserverOptions, observeHttp } from './observe-http.ts'
import { type IssuerEventLike, observeIssuer } from './observe-issuer.ts'
import { type JwksEventLike, observeJwks } from './observe-jwks.ts'
import { type KeysEventLike, observeKeys } from './observe-keys.ts'
import { observeWebSockets, type WebSocketEventLike } from './observe-web-sockets.ts'

/** One callback for each package: hand each to the `onEvent` of the part it is named after. None ever throws. */
export interface Reporter {
  readonly keys: (event: KeysEventLike) => void
  readonly issuer: (event: IssuerEventLike) => void
  readonly guard: (event: GuardEventLike) => void
  readonly jwks: (event: JwksEventLike) => void
  /** Counts only with the metrics' option `webSockets`. */
  readonly webSocket: (event: WebSocketEventLike) => void
  readonly audit: (event: AuditLogEvent) => void
  /** For each request, before its handler. */
  readonly http: (request: IncomingMessage, response: ServerResponse) => void
  /** Shows the keys of these rings in the metrics, read at each scrape. The result stops it. */
  followRings(rings: readonly KeyRingLike[]): () => void
}

export interface ReporterOptions extends Observers {
  readonly http?: HttpObserverOptions
}

/**
 * All callbacks at once, over one logger and one set of metrics (either may be missing).
 *
 * @example
 * const report = createReporter({ logger, metrics })
 * const audit = await openAuditLog(path, { onEvent: report.audit })
 * const ring = await createKeyRing({ …, audit, onEvent: report.keys })
 * const issuer = createIssuer({ …, rings: [ring], audit, onEvent: report.issuer })
 * report.followRings([ring])
 * createServer(report.http).on('request', issuerRoutes(issuer))
 */
export function createReporter(options: ReporterOptions): Reporter {
  const { metrics, http } = options
  return {
    keys: observeKeys(options),
    issuer: observeIssuer(options),
    guard: observeGuard(options),
    jwks: observeJwks(options),
    webSocket: observeWebSockets(options),
    audit: observeAudit(options),
    http: metrics === undefined ? () => undefined : observeHttp(metrics, http),
    followRings: (rings) => {
      const stops = rings.map((ring) => metrics?.keys.follow(ring))
      return () => {
        for (const stop of stops) stop?.()
      }
    },
  }
}
