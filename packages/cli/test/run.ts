import { PassThrough, Readable, Writable } from 'node:stream'
import { systemClock } from '@countersign/tokens'
import type { CliIo, ExitCode } from '../src/index.ts'
import { runCountersign } from '../src/index.ts'

export interface Ran {
  readonly exitCode: ExitCode
  readonly stdout: string
  readonly stderr: string
  /** The one document of `--json`. */
  json(): Record<string, unknown>
}

export interface RunOptions extends Partial<CliIo> {
  readonly input?: string | Uint8Array
  /** Called with all of stdout, each time something is written. */
  readonly onOutput?: (stdout: string) => void
}

function captured(onWrite: (all: string) => void = () => {}): { stream: Writable; text: () => string } {
  let all = ''
  const stream = new Writable({
    write(chunk, _encoding, done) {
      all += String(chunk)
      onWrite(all)
      done()
    },
  })
  return { stream, text: () => all }
}

/** Runs a command in this process and captures what it says. */
export async function run(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { input = '', onOutput, ...io } = options
  const stdout = captured(onOutput)
  const stderr = captured()
  const exitCode = await runCountersign(argv, {
    stdin: Readable.from([input]),
    stdout: stdout.stream,
    stderr: stderr.stream,
    env: {},
    cwd: process.cwd(),
    clock: systemClock,
    fetch: globalThis.fetch,
    onStop: () => () => {},
    ...io,
  })
  return { exitCode, stdout: stdout.text(), stderr: stderr.text(), json: () => JSON.parse(stdout.text()) }
}

/** A terminal for prompts: what is typed goes in, what is shown comes out. Like a process's own, it cannot be ended. */
export function terminal(): PassThrough & { isTTY: boolean } {
  const stream = new PassThrough()
  return Object.assign(stream, { isTTY: true, end: () => stream })
}
