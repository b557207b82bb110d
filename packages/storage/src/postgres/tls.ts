import { readFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { StorageError } from '../storage-error.ts'
import type { ConnectionString } from './connection-string.ts'

/**
 * `disable`: no TLS. `require`: encrypted, but whoever answers is believed. `verify-ca`: its certificate comes from the
 * right authority. `verify-full`: and is made out to the host's name.
 */
export type TlsMode = 'disable' | 'require' | 'verify-ca' | 'verify-full'

export interface PostgresTls {
  /** @default 'disable' on loopback and Unix sockets, 'verify-full' elsewhere; before that, `sslmode` of the URL */
  readonly mode?: TlsMode
  /** Certificates of the authorities, PEM. @default `sslrootcert` of the URL, else those that Node trusts */
  readonly ca?: string
  /** The client's own certificate and key, PEM. @default `sslcert` and `sslkey` of the URL */
  readonly cert?: string
  readonly key?: string
}

const modes: ReadonlySet<string> = new Set(['disable', 'require', 'verify-ca', 'verify-full'])

/** @returns what TLS does for each host; false: no TLS */
export async function readTls(
  url: ConnectionString,
  given: PostgresTls,
): Promise<(host: string) => false | ConnectionOptions> {
  const wanted = given.mode ?? url.parameters.get('sslmode')
  if (wanted !== undefined && !modes.has(wanted)) {
    // `prefer` and `allow` fall back to plain text for whoever asks them to.
    throw new StorageError('invalid_value', `sslmode must be one of ${[...modes].join(', ')}.`)
  }
  const root = url.parameters.get('sslrootcert')
  const ca = given.ca ?? (root === 'system' ? undefined : await readPem(root, 'sslrootcert'))
  const cert = given.cert ?? (await readPem(url.parameters.get('sslcert'), 'sslcert'))
  const key = given.key ?? (await readPem(url.parameters.get('sslkey'), 'sslkey'))
  return (host) => {
    const mode = wanted ?? (isLocal(host) ? 'disable' : 'verify-full')
    if (mode === 'disable') return false
    return {
      minVersion: 'TLSv1.2',
      rejectUnauthorized: mode !== 'require',
      ...(mode === 'verify-ca' ? { checkServerIdentity: () => undefined } : {}),
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    }
  }
}

/** Whether what is sent there leaves this machine. */
function isLocal(host: string): boolean {
  return host.startsWith('/') || host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

async function readPem(path: string | undefined, parameter: string): Promise<string | undefined> {
  if (path === undefined) return undefined
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw new StorageError('cannot_open', `The file of ${parameter} cannot be read: ${path}.`, { cause })
  }
}
