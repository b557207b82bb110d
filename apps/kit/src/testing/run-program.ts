import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

export interface ProgramOptions {
  readonly args?: readonly string[]
  /** All that it gets of an environment. */
  readonly variables?: Readonly<Record<string, string>>
  /** @default this process's */
  readonly cwd?: string
}

export interface Printed {
  readonly stdout: string
  readonly stderr: string
  /** Both, as they came. */
  readonly printed: string
}

export interface StartedProgram {
  readonly child: ChildProcess
  /** Exit code and signal, once it has ended and all that it printed is there. */
  readonly exit: Promise<readonly unknown[]>
  readonly printed: () => string
  /** When a whole line with this in it was printed. @throws what was printed, where it ended without */
  said(text: string): Promise<void>
  readonly output: () => Printed
}

/** Starts a program as somebody's shell would. */
export function startProgram(main: URL, { args = [], variables = {}, cwd }: ProgramOptions = {}): StartedProgram {
  const child = spawn(process.execPath, [fileURLToPath(main), ...args], {
    env: { ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  })
  const output = { stdout: '', stderr: '', printed: '' }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
      output.printed += text
      child.emit('printed')
    })
  }
  let ended = false
  const exit = once(child, 'close').finally(() => {
    ended = true
  })
  return {
    child,
    exit,
    printed: () => output.printed,
    output: () => ({ ...output }),
    async said(text) {
      const isSaid = (stream: string): boolean => {
        const at = stream.indexOf(text)
        return at >= 0 && stream.includes('\n', at)
      }
      while (!isSaid(output.stdout) && !isSaid(output.stderr)) {
        if (ended) throw new Error(`It ended: ${output.printed}`)
        await Promise.race([once(child, 'printed'), exit])
      }
    },
  }
}

/** Runs a program until it has ended; `until`: it is told to end (SIGTERM) once it has printed a line with this. */
export async function runProgram(
  main: URL,
  options: ProgramOptions & { readonly until?: string | undefined } = {},
): Promise<Printed & { readonly code: unknown }> {
  const { child, exit, said, output } = startProgram(main, options)
  if (options.until !== undefined) {
    await said(options.until).then(
      () => child.kill('SIGTERM'),
      // Its exit code tells.
      () => undefined,
    )
  }
  const [code] = await exit
  return { code, ...output() }
}
