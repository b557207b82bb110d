import type { ConsumerMatrix } from '@countersign/consumers'
import type { KeysConfig, LogLevel } from './config.ts'

/** A configuration after defaults, environment and checks; every path absolute. */
export interface ResolvedConfig {
  /** The file it was read from; undefined when it was given as an object. */
  readonly file: string | undefined
  readonly issuer: string
  readonly host: string
  readonly port: number
  readonly dataDir: string
  readonly databaseFile: string
  readonly kekFile: string
  readonly consumers: ConsumerMatrix
  readonly keys: KeysConfig
  readonly logLevel: LogLevel
  readonly metrics: { readonly host: string; readonly port: number } | undefined
  readonly auditFile: string
  readonly trustedProxyHops: number
}
