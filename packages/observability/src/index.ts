export { type AuditLog, type AuditLogEvent, type AuditLogOptions, openAuditLog } from './audit-log.ts'
export type { AuditEvent } from './audit-record.ts'
export { type DescribedError, describeError } from './describe-error.ts'
export type { Counter, Gauge, Histogram, Instruments, LabelLists, LabelsOf, OwnFamily } from './instruments.ts'
export type { KeyMetrics, KeyRingLike, KeyStatusLike } from './key-metrics.ts'
export { type FieldKind, type LogFields, logFields } from './log-fields.ts'
export {
  createLogger,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  logLevels,
} from './logger.ts'
export { createMetrics, type Metrics, type MetricsOptions, type MetricsRegistry } from './metrics.ts'
export { type MetricsServer, type MetricsServerOptions, startMetricsServer } from './metrics-server.ts'
export {
  isObservabilityError,
  ObservabilityError,
  type ObservabilityErrorCode,
  observabilityErrorCodes,
  remedies,
} from './observability-error.ts'
export type { Observers } from './observe.ts'
export { observeAudit } from './observe-audit.ts'
export { type GuardEventLike, observeGuard } from './observe-guard.ts'
export { type HttpObserverOptions, observeHttp } from './observe-http.ts'
export { type IssuerEventLike, observeIssuer } from './observe-issuer.ts'
export { type JwksEventLike, observeJwks } from './observe-jwks.ts'
export { type KeysEventLike, observeKeys } from './observe-keys.ts'
export { observeWebSockets, type WebSocketEventLike } from './observe-web-sockets.ts'
export { createReporter, type Reporter, type ReporterOptions } from './reporter.ts'
export { createScrub, type Scrub, type ScrubOptions } from './scrub.ts'
export { Secret } from './secret.ts'
export type { WebSocketMetrics } from './web-socket-metrics.ts'
