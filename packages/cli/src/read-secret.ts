import { CliError } from './failure.ts'
import type { CliIo } from './io.ts'
import { readStream } from './read-stream.ts'

/** The most that is read of a secret or a token: an access token of ours has at most 16 KiB. */
export const inputLimitBytes = 65_536

/**
 * All of a stream as text, without one final line ending (`echo` adds it).
 * @throws CliError `bad_input` when it is empty, longer than 64 KiB or no UTF-8
 */
export async function readAll(stream: AsyncIterable<Uint8Array | string>, what: string): Promise<string> {
  const bytes = await readStream(stream, inputLimitBytes, what)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new CliError('bad_input', `The ${what} is not valid UTF-8.`, { cause })
  }
  text = text.replace(/\r?\n$/u, '')
  if (text === '') throw new CliError('bad_input', `No ${what} was given.`)
  return text
}

async function ask(io: CliIo, message: string): Promise<string> {
  const { password } = await import('@inquirer/prompts')
  // The prompt goes to stderr: stdout carries the result and nothing else.
  return await password({ message, mask: false, toggleMask: false }, { input: io.stdin, output: io.stderr })
}

export interface SecretPrompt {
  /** Such as `password`, for messages. */
  readonly what: string
  /** What the prompt says. */
  readonly message: string
  /** Asks twice on a terminal. @default false */
  readonly confirm?: boolean
}

/**
 * A secret from a prompt without echo when stdin is a terminal, else all of stdin: one line.
 * Never from the command line, where every process of the machine can read it.
 */
export async function readSecret(io: CliIo, { what, message, confirm = false }: SecretPrompt): Promise<string> {
  if (io.stdin.isTTY === true) {
    const secret = await ask(io, message)
    if (secret === '') throw new CliError('bad_input', `No ${what} was given.`)
    if (confirm && (await ask(io, `${message} again`)) !== secret) {
      throw new CliError('bad_input', 'The two entries differ.', { remedy: 'Run the command again.' })
    }
    return secret
  }
  const secret = await readAll(io.stdin, what)
  if (/[\r\n]/u.test(secret)) throw new CliError('bad_input', `The ${what} on standard input has several lines.`)
  return secret
}
