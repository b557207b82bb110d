import type { ConsumerMatrix } from '@countersign/consumers'
import type { SubjectVerifier } from '@countersign/issuer'
import type { Blackout } from '@countersign/keys'

export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug'

/** What `countersign.config.ts` exports. Paths are relative to the file that names them. */
export interface TokenServiceConfig {
  /** `iss` of every token, and the URL that clients reach the service by: https, or http on loopback. No trailing slash. */
  readonly issuer: string
  /** @default '127.0.0.1' */
  readonly host?: string
  /** 0 picks a free one. @default 4600 */
  readonly port?: number
  /** Created with mode 0700. @default './data' */
  readonly dataDir?: string
  /**
   * `sqlite:PATH`, or `postgres://USER@HOST/DATABASE` for any number of instances (needs the package `pg`).
   * @default 'sqlite:' and countersign.db in `dataDir`
   */
  readonly database?: string
  /** A file that holds the password of a `postgres:` database, read anew for every connection. @default the URL's */
  readonly databasePasswordFile?: string
  /** The key-encryption key: a file, or `credential:NAME` for one that systemd provides. @default kek in `dataDir` */
  readonly kekFile?: string
  /** Earlier key-encryption keys: they open what they sealed until `countersign keys rewrap` ran. At most 8. @default [] */
  readonly previousKekFiles?: readonly string[]
  /** The consumer matrix, or the path of a module or JSON file that has it. */
  readonly consumers: ConsumerMatrix | string
  /** Other issuers whose tokens may be exchanged for ours (RFC 8693). In a module, since a verifier is code. @default [] */
  readonly subjectVerifiers?: readonly SubjectVerifier[]
  readonly keys?: KeysConfig
  readonly log?: { readonly level?: LogLevel }
  /** Prometheus metrics on a port of their own; false: none. @default { host: '127.0.0.1', port: 0 in tests, 4601 } */
  readonly metrics?: { readonly host?: string; readonly port?: number } | false
  /** Where audit lines go. @default audit.jsonl in `dataDir` */
  readonly auditFile?: string
  readonly revocations?: RevocationsConfig
  /** Proxies in front that append to X-Forwarded-For. @default 0: the header is ignored */
  readonly trustedProxyHops?: number
}

export interface RevocationsConfig {
  /**
   * Verifiers that listen to the feed of one process at once, each over a connection of its own, 1 to 100,000; the process
   * needs as many file descriptors and 8,000 more. One more listener is answered 503 and polls. @default 2_000
   */
  readonly maxStreams?: number
}

export interface KeysConfig {
  /** `demo` scales every wait of key rotation down to seconds; for loopback issuers only. @default 'standard' */
  readonly policy?: 'standard' | 'demo'
  /** @default 300 */
  readonly jwksMaxAgeSeconds?: number
  /** The longest verifier cache that rotation waits for. @default 3600 */
  readonly verifierCacheSeconds?: number
  /** Longest time that two generations of keys verify. @default 86400 */
  readonly maxOverlapSeconds?: number
  /** When keys are not changed by plan, such as weekdays from 09:00 to 17:00 in Europe/Zurich. @default [] */
  readonly blackouts?: readonly Blackout[]
  /** Where verifiers read the JWKS: a key signs only when all of these show it. At most 16. @default none */
  readonly publicJwksUrls?: readonly string[]
}

/** Types a configuration file; changes nothing. It is checked when it is read. */
export function defineConfig(config: TokenServiceConfig): TokenServiceConfig {
  return config
}
