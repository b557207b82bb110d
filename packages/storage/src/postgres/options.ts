import type { ConnectionOptions } from 'node:tls'
import { machineClock, type StorageClock } from '../sqlite/clock.ts'
import { StorageError } from '../storage-error.ts'
import { wholeNumber } from '../whole-number.ts'
import { type Address, parseConnectionString } from './connection-string.ts'
import { type PostgresTls, readTls } from './tls.ts'

/** What a database reports. */
export type PostgresEvent =
  /** The schema was brought up to date when the database was opened. */
  | { readonly type: 'migrated'; readonly from: number; readonly to: number }
  /** A server answers: the first, after an interruption, or another than before. */
  | { readonly type: 'connected'; readonly host: string; readonly port: number }
  /** No server that can be written to answers any more; it goes on being tried. Once for each interruption. */
  | { readonly type: 'disconnected'; readonly error: StorageError }
  /** The server is set to lose what it acknowledged when its machine fails. */
  | { readonly type: 'not_durable'; readonly settings: readonly string[] }

export interface PostgresOptions {
  /** Instead of the URL's; a function is asked for every connection, so that a password can change. */
  readonly password?: string | (() => string | Promise<string>)
  readonly tls?: PostgresTls
  /** The PostgreSQL schema that the tables are in; made where it is missing. @default 'countersign' */
  readonly schema?: string
  /** Whether to bring the tables up to date, which takes a role that may. @default true */
  readonly migrate?: boolean
  /** Whether to make the tables where there are none. @default true; an empty database is refused as `schema_too_old` otherwise */
  readonly create?: boolean
  /** The most connections, besides the one that listens, 1 to 1,000. @default 10 */
  readonly maxConnections?: number
  /** More calls than this waiting for a connection are refused as `busy`, 1 to 1,000,000. @default 10000 */
  readonly maxPending?: number
  /**
   * Milliseconds that a call waits for a free connection, for a server that comes back and for other transactions before
   * it fails as `busy` or `unavailable`, 100 to 60,000. @default 5000
   */
  readonly busyTimeoutMs?: number
  /** Milliseconds for a connection to come about, 100 to 60,000. @default 3000 */
  readonly connectTimeoutMs?: number
  /** Milliseconds for one statement, 100 to 600,000; without an answer a second later the network counts as dead. @default 5000 */
  readonly statementTimeoutMs?: number
  /** Milliseconds for one lock, 10 to 600,000. @default 3000 */
  readonly lockTimeoutMs?: number
  /** Milliseconds that the server lets a transaction stand still, 1,000 to 600,000. @default 10000 */
  readonly idleInTransactionTimeoutMs?: number
  /** Milliseconds after which a connection that nobody uses is closed, 1,000 to 3,600,000. @default 30000 */
  readonly idleTimeoutMs?: number
  /** Milliseconds after which a connection is made anew, 1,000 to 86,400,000. @default 1800000 */
  readonly lifetimeMs?: number
  /** Milliseconds between two looks for the writes of others, 10 to 60,000. @default 1000 */
  readonly pollIntervalMs?: number
  /** Whether to hear of writes at once (`LISTEN`), over a connection of its own. @default true */
  readonly notifications?: boolean
  /** What the server shows of this process. @default 'countersign' */
  readonly applicationName?: string
  /** @default the server's clock for what is read, the machine's for waiting */
  readonly clock?: StorageClock
  readonly onEvent?: (event: PostgresEvent) => void
}

/** Where a server is, and what TLS does there. */
export interface Place extends Address {
  readonly tls: false | ConnectionOptions
}

export interface PostgresSettings {
  readonly places: readonly Place[]
  readonly user: string
  readonly database: string
  readonly password: () => Promise<string>
  readonly schema: string
  readonly migrate: boolean
  readonly create: boolean
  readonly maxConnections: number
  readonly maxPending: number
  readonly busyTimeoutMs: number
  readonly connectTimeoutMs: number
  readonly statementTimeoutMs: number
  readonly lockTimeoutMs: number
  readonly idleInTransactionTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly lifetimeMs: number
  readonly pollIntervalMs: number
  readonly notifications: boolean
  readonly applicationName: string
  readonly clock: StorageClock
  /** Whether readings are dated by the server's clock: not if another was given. */
  readonly usesServerClock: boolean
  readonly onEvent: (event: PostgresEvent) => void
}

/** @throws StorageError `invalid_value`; `cannot_open` for a file of the URL that cannot be read */
export async function readOptions(url: string, options: PostgresOptions): Promise<PostgresSettings> {
  const parsed = parseConnectionString(url)
  const tlsFor = await readTls(parsed, options.tls ?? {})
  const seconds = parsed.parameters.get('connect_timeout')
  const connectTimeoutMs = options.connectTimeoutMs ?? (seconds === undefined ? 3_000 : Number(seconds) * 1_000)
  return {
    places: parsed.addresses.map((address) => ({ ...address, tls: tlsFor(address.host) })),
    user: parsed.user,
    database: parsed.database,
    password: passwordOf(options.password ?? parsed.password ?? ''),
    schema: identifier('schema', options.schema ?? 'countersign'),
    migrate: options.migrate ?? true,
    create: options.create ?? true,
    maxConnections: wholeNumber('maxConnections', options.maxConnections ?? 10, 1, 1_000),
    maxPending: wholeNumber('maxPending', options.maxPending ?? 10_000, 1, 1_000_000),
    busyTimeoutMs: wholeNumber('busyTimeoutMs', options.busyTimeoutMs ?? 5_000, 100, 60_000),
    connectTimeoutMs: wholeNumber('connectTimeoutMs', connectTimeoutMs, 100, 60_000),
    statementTimeoutMs: wholeNumber('statementTimeoutMs', options.statementTimeoutMs ?? 5_000, 100, 600_000),
    lockTimeoutMs: wholeNumber('lockTimeoutMs', options.lockTimeoutMs ?? 3_000, 10, 600_000),
    idleInTransactionTimeoutMs: wholeNumber(
      'idleInTransactionTimeoutMs',
      options.idleInTransactionTimeoutMs ?? 10_000,
      1_000,
      600_000,
    ),
    idleTimeoutMs: wholeNumber('idleTimeoutMs', options.idleTimeoutMs ?? 30_000, 1_000, 3_600_000),
    lifetimeMs: wholeNumber('lifetimeMs', options.lifetimeMs ?? 1_800_000, 1_000, 86_400_000),
    pollIntervalMs: wholeNumber('pollIntervalMs', options.pollIntervalMs ?? 1_000, 10, 60_000),
    notifications: options.notifications ?? true,
    applicationName: options.applicationName ?? parsed.parameters.get('application_name') ?? 'countersign',
    clock: options.clock ?? machineClock,
    usesServerClock: options.clock === undefined,
    onEvent: reporting(options.onEvent),
  }
}

/** In a task of its own: a listener that throws must not take a connection with it. */
function reporting(onEvent: PostgresOptions['onEvent']): (event: PostgresEvent) => void {
  return onEvent === undefined ? () => {} : (event) => queueMicrotask(() => onEvent(event))
}

function passwordOf(given: string | (() => string | Promise<string>)): () => Promise<string> {
  return async () => {
    try {
      return typeof given === 'string' ? given : await given()
    } catch (cause) {
      throw new StorageError('cannot_open', 'The password could not be got.', { cause })
    }
  }
}

/** Also the channel's name, and part of statements: no more than letters, digits and underscores. */
function identifier(name: string, value: string): string {
  if (/^[a-z_][a-z0-9_]{0,47}$/.test(value) && !value.startsWith('pg_')) return value
  throw new StorageError('invalid_value', `${name} must be up to 48 of a to z, 0 to 9 and _, not beginning with pg_.`)
}
