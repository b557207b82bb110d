import { createPublicKey } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import { CliError } from './failure.ts'
import type { CliIo } from './io.ts'
import { readAll } from './read-secret.ts'

/**
 * A public key from a file, as a JWK: PEM (SPKI), or a JWK in JSON. What kind of key it is, the issuer checks.
 * @throws CliError `bad_input`, also for a private key: its place is with the client, not here
 */
export async function readPublicKey(io: CliIo, file: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await readAll(createReadStream(resolve(io.cwd, file)), 'public key')
  if (text.trimStart().startsWith('{')) return readJwk(text)
  if (text.includes('PRIVATE KEY')) {
    throw new CliError('bad_input', 'The file has a private key. Give the public one: openssl pkey -in FILE -pubout')
  }
  try {
    return { ...createPublicKey(text).export({ format: 'jwk' }) }
  } catch (cause) {
    throw new CliError('bad_input', 'The file has neither a PEM public key nor a JWK.', { cause })
  }
}

function readJwk(text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CliError('bad_input', 'The file is no JSON.', { cause })
  }
}
