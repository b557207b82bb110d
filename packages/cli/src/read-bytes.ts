import { createReadStream } from 'node:fs'
import { resolve } from 'node:path'
import { CliError } from './failure.ts'
import type { CliIo } from './io.ts'
import { readSecret } from './read-secret.ts'
import { readStream } from './read-stream.ts'

export interface SecretSource {
  readonly file?: string
  /** Keeps a final line ending, which `echo` and editors add. */
  readonly raw?: boolean
}

const newline = 0x0a
const carriageReturn = 0x0d

/**
 * A secret of any bytes, from `--file` or standard input, without one final line ending; at a prompt, where stdin is a
 * terminal, it is asked for twice.
 * @throws CliError `bad_input` when it is empty or longer than `mostBytes`
 */
export async function readSecretBytes(
  io: CliIo,
  { file, raw = false }: SecretSource,
  mostBytes: number,
): Promise<Uint8Array> {
  if (file === undefined && io.stdin.isTTY === true) {
    return Buffer.from(await readSecret(io, { what: 'secret', message: 'Secret', confirm: true }))
  }
  const stream = file === undefined ? io.stdin : createReadStream(resolve(io.cwd, file))
  const all = await readStream(stream, mostBytes + 2, 'secret')
  const bytes = raw ? all : withoutLineEnding(all)
  if (bytes.length === 0) throw new CliError('bad_input', 'No secret was given.')
  return bytes
}

function withoutLineEnding(bytes: Buffer): Buffer {
  if (bytes.at(-1) !== newline) return bytes
  return bytes.subarray(0, bytes.at(-2) === carriageReturn ? -2 : -1)
}
