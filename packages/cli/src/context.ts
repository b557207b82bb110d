import { userInfo } from 'node:os'
import type { ResolvedConfig, TokenServiceParts } from '@countersign/server'
import type { Command } from 'commander'
import type { ExitCode } from './failure.ts'
import type { CliIo } from './io.ts'
import { createOutput, type Output } from './output.ts'

/** Options that every command takes. */
export interface GlobalOptions {
  readonly config?: string
  readonly json: boolean
  readonly quiet: boolean
  readonly debug: boolean
}

export interface CommandContext {
  readonly io: CliIo
  readonly out: Output
  readonly options: GlobalOptions
  /** Who the audit log says did it: the user of this process. */
  readonly operator: { readonly type: 'operator'; readonly id?: string }
  /** Reads the configuration and says on stderr which file it was: it is code. */
  loadConfig(): Promise<ResolvedConfig>
  /** Opens the service's store beside a running server, and closes it whatever comes of the work. */
  withService(work: (service: TokenServiceParts) => Promise<ExitCode>): Promise<ExitCode>
}

function operator(): CommandContext['operator'] {
  try {
    return { type: 'operator', id: userInfo().username }
  } catch {
    // A user id without a name (a container): the log says operator, and no more.
    return { type: 'operator' }
  }
}

export function createContext(io: CliIo, options: GlobalOptions): CommandContext {
  const out = createOutput(io, options)
  const readConfig = async (): Promise<ResolvedConfig> => {
    // Loaded when needed: `--help` and `consumers matrix` should not wait for a database driver.
    const { loadConfig } = await import('@countersign/server')
    const config = await loadConfig({
      cwd: io.cwd,
      env: io.env,
      ...(options.config === undefined ? {} : { file: options.config }),
    })
    out.note(`configuration: ${config.file}`)
    return config
  }
  return {
    io,
    out,
    options,
    operator: operator(),
    loadConfig: readConfig,
    async withService(work) {
      const config = await readConfig()
      const { openTokenService } = await import('@countersign/server')
      const service = await openTokenService(config, { clock: io.clock })
      try {
        return await work(service)
      } finally {
        await service.close()
      }
    },
  }
}

/** What a command does. */
export type Act<Args extends unknown[]> = (context: CommandContext, ...args: Args) => Promise<ExitCode>

/** Ties an action to the world it runs in; what commander passes last, the command itself, carries the global options. */
export type Bind = <Args extends unknown[]>(act: Act<Args>) => (...args: [...Args, Command]) => Promise<void>
