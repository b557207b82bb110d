import { readFile, stat } from 'node:fs/promises'
import type { RequestListener } from 'node:http'
import { type AuthModule, createAuthModule, isAuthModuleError } from '@countersign/embedded'
import { createLogger, createMetrics, createReporter } from '@countersign/observability'
import { type ListeningServer, listen } from '@countersign/server'
import { systemClock } from '@countersign/tokens'
import { ConfigError } from '@countersign-apps/kit'
import { createCommands } from './commands/commands.ts'
import type { CmuxConfig } from './config.ts'
import { consumer, type Scope } from './consumer.ts'
import { createCmux } from './create-cmux.ts'
import { createFeed } from './feed.ts'
import { isLoopback, ownNames } from './own-names.ts'

export interface StartOptions {
  /** Gets whole log lines. @default standard error */
  readonly logDestination?: { write(line: string): unknown }
}

export interface RunningCmux {
  /** Where it listens. */
  readonly url: string
  /** Where people reach it. */
  readonly publicUrl: string
  /** `changed`: another password than the last time, so every token of before has ended. */
  readonly password: 'first' | 'same' | 'changed'
  /** Ends connections, commands and requests under way, then everything else. */
  close(): Promise<void>
}

/**
 * Starts cmux: its own token service over SQLite, the guard in front of everything, the page, the feed and the commands.
 * @throws ConfigError for files and folders that cannot be used, and for the data of another address; IssuerError `weak_password`, `already_disabled`;
 * AuthModuleError, and what the parts throw. Nothing stays open then.
 */
export async function startCmux(
  config: CmuxConfig,
  password: string,
  options: StartOptions = {},
): Promise<RunningCmux> {
  const logger = createLogger({
    level: config.logLevel,
    base: { service: 'cmux' },
    destination: options.logDestination ?? process.stderr,
  })
  const report = createReporter({ logger, metrics: createMetrics() })
  const onFault = (error: unknown): void => logger.error('something could not be answered', { error })
  const opened: (() => Promise<unknown>)[] = []
  const close = async (): Promise<void> => {
    for (const end of opened.splice(0).reverse()) await end()
  }
  try {
    await checkFolder(config.workdir)
    let handler: RequestListener = (_request, response) => void response.writeHead(503).end()
    const http = await startListening(config, (request, response) => handler(request, response))
    opened.push(() => http.close())
    const publicUrl = config.publicUrl ?? http.url
    const names = ownNames(publicUrl, { url: http.url, isLoopback: isLoopback(config.host) })
    // Before anything is answered: tokens of another password must not be taken, not even once.
    const auth = await openAuth(config, publicUrl, { password, origins: names.origins, report })
    opened.push(() => auth.close())
    const feed = createFeed(systemClock)
    const { workdir, commandEnvironment: environment, commandLimits: limits } = config
    const commands = createCommands({ feed, workdir, environment, limits })
    opened.push(() => commands.close())
    const { app, sockets } = createCmux({ auth, feed, commands, names, proxyHops: config.proxyHops, onFault })
    opened.push(() => sockets.close({ graceMs: 0 }))
    sockets.mount(http.server, '/ws')
    handler = (request, response) => {
      report.http(request, response)
      app(request, response)
    }
    logger.info('cmux listens', { url: http.url, issuer: publicUrl })
    return { url: http.url, publicUrl, password: auth.sharedPassword ?? 'same', close }
  } catch (error) {
    await close()
    throw error
  }
}

async function startListening(config: CmuxConfig, handler: RequestListener): Promise<ListeningServer> {
  const { host, port, tls } = config
  if (tls === undefined) return listen(handler, { host, port })
  const [cert, key] = await Promise.all([readPem('CMUX_TLS_CERT', tls.certFile), readPem('CMUX_TLS_KEY', tls.keyFile)])
  return listen(handler, { host, port, tls: { cert, key } })
}

/** Accounts there are none; the data directory is made at the first start. */
async function openAuth(
  config: CmuxConfig,
  issuer: string,
  given: {
    readonly password: string
    readonly origins: readonly string[]
    readonly report: ReturnType<typeof createReporter>
  },
): Promise<AuthModule<Scope>> {
  const { password, origins, report } = given
  try {
    return await createAuthModule<Scope>({
      dataDir: config.dataDir,
      issuer,
      audience: consumer.audience,
      resource: issuer,
      scopes: consumer.scopes,
      tokenExpirySeconds: consumer.accessTokenLifeSeconds,
      sharedPassword: { password, defaultScopes: ['service'], origins },
      report,
    })
  } catch (error) {
    if (!isAuthModuleError(error) || error.code !== 'other_issuer') throw error
    const what = `${config.dataDir} belongs to a cmux at another address than ${issuer}`
    throw new ConfigError([`CMUX_DATA_DIR: ${what}: go back to that address, or begin anew in another folder`])
  }
}

async function checkFolder(workdir: string): Promise<void> {
  const found = await stat(workdir).catch(() => undefined)
  if (found?.isDirectory() !== true) throw new ConfigError([`CMUX_WORKDIR: ${workdir} is no folder`])
}

async function readPem(variable: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable'
    throw new ConfigError([`${variable}: ${file} cannot be read (${code})`])
  }
}
