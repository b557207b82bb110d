import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import type { CliIo } from './io.ts'
import { readAll, readSecret } from './read-secret.ts'

/**
 * A token from `--file`, else from stdin (a prompt without echo on a terminal). Nothing but one final line ending is
 * taken off: whatever else surrounds the token is for the checks to see.
 */
export function readToken(io: CliIo, file: string | undefined): Promise<string> {
  if (file !== undefined) return readAll(createReadStream(resolve(io.cwd, file)), 'token')
  if (io.stdin.isTTY === true) return readSecret(io, { what: 'token', message: 'Token' })
  return readAll(io.stdin, 'token')
}
