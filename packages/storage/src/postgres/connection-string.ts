import { StorageError } from '../storage-error.ts'

/** A server's address as it was given; a host that begins with `/` is the folder of a Unix socket. */
export interface Address {
  readonly host: string
  readonly port: number
}

export interface ConnectionString {
  /** At least one. */
  readonly addresses: readonly Address[]
  readonly user: string
  readonly password: string | undefined
  readonly database: string
  readonly parameters: ReadonlyMap<string, string>
}

const form = 'postgres://user@host:5432/database'
const defaultPort = 5432
const mostAddresses = 16

/** Those that have a meaning here; others are refused, so that nobody relies on one that does nothing. */
const known: ReadonlySet<string> = new Set([
  ...['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'application_name', 'connect_timeout', 'host'],
  ...['port', 'target_session_attrs'],
])

/**
 * Reads a connection URI as libpq does: several hosts with commas, everything percent-encoded, parameters after `?`.
 * @throws StorageError `invalid_value`, which quotes nothing of it: it may hold a password
 */
export function parseConnectionString(text: string): ConnectionString {
  const parts = /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^/?#]*)(?:\/([^/?#]*))?(?:\?([^#]*))?$/.exec(text)
  if (parts === null) throw fault(`must look like ${form}`)
  const [, account = '', hosts = '', name = '', query = ''] = parts
  const parameters = readParameters(query)
  const [user = '', ...rest] = account.split(':')
  if (user === '') throw fault(`must name a user, as in ${form}`)
  if (name === '') throw fault(`must name a database, as in ${form}`)
  const attributes = parameters.get('target_session_attrs') ?? 'read-write'
  if (attributes !== 'read-write' && attributes !== 'primary') {
    throw fault('takes only read-write or primary for target_session_attrs')
  }
  const socket = parameters.get('host')
  if (socket !== undefined && hosts !== '') throw fault('must name the host once, before the database or in ?host=')
  const port = parameters.get('port')
  if (port !== undefined && socket === undefined) throw fault('must name the port after the host, or with ?host=')
  const addresses =
    socket === undefined
      ? hosts.split(',').map(readAddress)
      : [{ host: socket, port: readPort(port ?? `${defaultPort}`) }]
  if (addresses.length > mostAddresses) throw fault(`may name ${mostAddresses} hosts at most`)
  return {
    addresses,
    user: decode(user),
    password: rest.length === 0 ? undefined : decode(rest.join(':')),
    database: decode(name),
    parameters,
  }
}

function readAddress(text: string): Address {
  const parts = /^(\[[0-9a-fA-F:.]+\]|[^:[\]]*)(?::(.*))?$/.exec(text)
  if (parts === null) throw fault(`must name hosts and ports as in ${form}`)
  const port = readPort(parts[2] ?? `${defaultPort}`)
  const host = decode(parts[1] ?? '').replace(/^\[|\]$/g, '')
  return { host: host === '' ? 'localhost' : host, port }
}

function readPort(text: string): number {
  const port = Number(text)
  if (/^\d{1,5}$/.test(text) && port >= 1 && port <= 65_535) return port
  throw fault(`must name hosts and ports as in ${form}`)
}

function readParameters(query: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const pair of query.split('&').filter((one) => one !== '')) {
    const at = pair.indexOf('=')
    const name = decode(at === -1 ? pair : pair.slice(0, at))
    if (!known.has(name)) throw fault(`has a parameter that is not known: ${name.slice(0, 40)}`)
    if (found.has(name)) throw fault(`has the parameter ${name} twice`)
    found.set(name, at === -1 ? '' : decode(pair.slice(at + 1)))
  }
  return found
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw fault('has a percent sign that encodes nothing: write %25 for one')
  }
}

function fault(what: string): StorageError {
  return new StorageError('invalid_value', `The database URL ${what}.`)
}
