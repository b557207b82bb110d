import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { loadConfig, startTokenService } from '@countersign/server'
import type { Clock } from '@countersign/tokens'
import { findFreePort } from './free-port.ts'
import { emptyFolder } from './installation.ts'
import { type Ran, type RunOptions, run } from './run.ts'

export const password = 'correct horse battery'

/** A token service that answers, with one user, and a person's own folder beside it. */
export interface RunningService {
  readonly folder: string
  readonly issuer: string
  readonly configFile: string
  /** COUNTERSIGN_HOME of the person. */
  readonly home: string
  /** Runs a command as that person. */
  run(argv: readonly string[], options?: RunOptions): Promise<Ran>
  signIn(argv?: readonly string[], options?: RunOptions): Promise<Ran>
  /** How often something was recorded in the audit log. */
  recorded(action: string): Promise<number>
  stop(): Promise<void>
  /** Again, after `stop`. */
  start(): Promise<void>
  remove(): Promise<void>
}

export interface ServiceOptions {
  readonly clock?: Clock
  /** Where it listens, when something else answers at its issuer. */
  readonly behind?: { readonly issuer: string; readonly port: number }
}

export async function runService({ clock, behind }: ServiceOptions = {}): Promise<RunningService> {
  const folder = await emptyFolder()
  const issuer = behind?.issuer ?? `http://127.0.0.1:${await findFreePort()}`
  const listens = behind === undefined ? {} : { COUNTERSIGN_PORT: String(behind.port) }
  const configFile = join(folder, 'countersign.config.json')
  const home = join(folder, 'home')
  const setUp = async (argv: readonly string[], input = ''): Promise<void> => {
    const ran = await run(argv, { input })
    if (ran.exitCode !== 0) throw new Error(ran.stderr)
  }
  await setUp(['init', folder, '--issuer', issuer, '--quiet'])
  await setUp(['users', 'add', 'ada', '--config', configFile], password)
  const start = async () =>
    startTokenService(
      await loadConfig({ cwd: folder, file: configFile, env: { COUNTERSIGN_METRICS_PORT: '0', ...listens } }),
      {
        logDestination: { write: () => {} },
        ...(clock === undefined ? {} : { clock }),
      },
    )
  let running: Awaited<ReturnType<typeof start>> | undefined = await start()
  const runHere: RunningService['run'] = (argv, { env = {}, ...options } = {}) =>
    run(argv, {
      cwd: folder,
      env: { COUNTERSIGN_HOME: home, ...env },
      ...(clock === undefined ? {} : { clock }),
      ...options,
    })
  const stop = async (): Promise<void> => {
    await running?.close()
    running = undefined
  }
  return {
    folder,
    issuer,
    configFile,
    home,
    run: runHere,
    signIn: (argv = [], options) =>
      runHere(['auth', 'login', '--issuer', issuer, ...argv], { input: `ada\n${password}\n`, ...options }),
    async recorded(action) {
      const lines = (await readFile(join(folder, 'data/audit.jsonl'), 'utf8')).split('\n')
      return lines.filter((line) => line.includes(`"action":"${action}"`)).length
    },
    stop,
    async start() {
      running = await start()
    },
    async remove() {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
