import { isStorageError, StorageError, type StorageErrorCode } from '../storage-error.ts'

/** What to do about a failure, apart from telling the caller. */
export type Recourse =
  /** Another transaction was in the way: the same again may succeed. */
  | 'retry'
  /** The connection is of no use any more; nothing was stored, unless a commit was under way. */
  | 'reconnect'
  | 'none'

interface Known {
  readonly code: StorageErrorCode
  readonly message: string
  readonly recourse: Recourse
}

const gone: Known = { code: 'unavailable', message: 'The database server cannot be reached.', recourse: 'reconnect' }
const invalid: Known = { code: 'invalid_value', message: 'A value does not fit its column.', recourse: 'none' }
const refused: Known = { code: 'cannot_open', message: 'The server refuses the connection.', recourse: 'none' }

/** By SQLSTATE, or its first two characters. */
const bySqlState: Readonly<Record<string, Known>> = {
  '08': gone,
  '57P01': gone,
  '57P02': gone,
  '57P03': gone,
  '57P05': gone,
  // A prepared statement gives other columns than before: a newer program has changed the tables.
  '0A000': { code: 'busy', message: 'The tables were changed meanwhile.', recourse: 'reconnect' },
  '25P03': { code: 'unavailable', message: 'The server ended a transaction that stood still.', recourse: 'reconnect' },
  '53300': { code: 'unavailable', message: 'The server has no free connections.', recourse: 'reconnect' },
  '40001': { code: 'busy', message: 'Other transactions were in the way.', recourse: 'retry' },
  '40P01': { code: 'busy', message: 'Other transactions were in the way.', recourse: 'retry' },
  '55P03': { code: 'busy', message: 'A row stayed locked for too long.', recourse: 'none' },
  '57014': { code: 'busy', message: 'A statement took too long.', recourse: 'none' },
  '53100': { code: 'full', message: "The server's disk is full.", recourse: 'none' },
  '53': { code: 'busy', message: 'The server has no resources left.', recourse: 'none' },
  '25006': { code: 'read_only', message: 'The server is a standby, or read-only.', recourse: 'reconnect' },
  '23505': { code: 'conflict', message: 'There is a row by that id already.', recourse: 'none' },
  '22': invalid,
  '23': invalid,
  '28': refused,
  '3D000': { code: 'cannot_open', message: 'There is no such database.', recourse: 'none' },
  '42501': { code: 'cannot_open', message: 'The role may not do this.', recourse: 'none' },
  '42P01': { code: 'schema_too_old', message: 'A table is missing.', recourse: 'none' },
  '42703': { code: 'schema_too_old', message: 'A column is missing.', recourse: 'none' },
  '58': { code: 'io_error', message: "The server's disk failed.", recourse: 'none' },
  XX001: { code: 'corrupt', message: 'The database is damaged.', recourse: 'none' },
  XX002: { code: 'corrupt', message: 'The database is damaged.', recourse: 'none' },
}

/** Of the network, by Node's error codes; TLS has its own. */
const networkCodes: ReadonlySet<unknown> = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN'],
  ...['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'ENOENT', 'EHOSTDOWN', 'ERR_STREAM_DESTROYED'],
])
const tlsCode = /^(ERR_TLS|ERR_SSL|CERT_|UNABLE_TO_|DEPTH_ZERO|SELF_SIGNED|HOSTNAME_MISMATCH|EPROTO)/
/** What `pg` says without a code. */
const lostConnection = /^(Connection terminated|timeout expired|Client (was closed|has encountered))/
const noTls = /SSL connection/

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

function find(error: unknown): Known | undefined {
  if (error instanceof AggregateError) return find(error.errors[0])
  const code = codeOf(error)
  const message = error instanceof Error ? error.message : ''
  if (code !== undefined && /^[0-9A-Z]{5}$/.test(code) && !networkCodes.has(code)) {
    return bySqlState[code] ?? bySqlState[code.slice(0, 2)]
  }
  if (networkCodes.has(code) || lostConnection.test(message)) return gone
  if ((code !== undefined && tlsCode.test(code)) || noTls.test(message)) {
    return { code: 'cannot_open', message: 'The server could not prove who it is (TLS).', recourse: 'none' }
  }
  // SCRAM: without a password, or with a server that cannot prove that it knows it.
  return message.startsWith('SASL') ? refused : undefined
}

export function recourse(error: unknown): Recourse {
  if (isStorageError(error) && error.code === 'outcome_unknown') return 'none'
  if (isStorageError(error)) return find(error.cause)?.recourse ?? (error.code === 'unavailable' ? 'reconnect' : 'none')
  return find(error)?.recourse ?? 'none'
}

/** What went wrong, in the package's own codes. Of the cause only what holds no values: its `detail` shows whole keys. */
export function storageError(error: unknown): StorageError {
  if (isStorageError(error)) return error
  const code = codeOf(error)
  const known = find(error)
  if (known === undefined) return new StorageError('failed', 'The storage failed.', { cause: withoutValues(error) })
  const message = code === undefined ? known.message : `${known.message} (${code})`
  return new StorageError(known.code, message, { cause: withoutValues(error) })
}

function withoutValues(error: unknown): Error {
  const code = codeOf(error)
  // Messages about data (class 22) quote it.
  const quotes = code?.startsWith('22') === true || !(error instanceof Error)
  const cause = new Error(quotes ? 'The server refused a value.' : error.message)
  return code === undefined ? cause : Object.assign(cause, { code })
}
