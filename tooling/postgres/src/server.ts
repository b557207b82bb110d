import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Account, asAccount, serverAccount } from './account.ts'
import { findBinaries } from './binaries.ts'
import { freePort } from './free-port.ts'
import { query } from './query.ts'

export interface ServerOptions {
  /** Whether a commit is on the disk when it is answered, as in production. @default false: faster, for most tests */
  readonly durable?: boolean
  /** More settings, such as `{ max_connections: '20' }`. */
  readonly settings?: Readonly<Record<string, string>>
  /** PEM; the server then takes TLS as well. */
  readonly tls?: { readonly cert: string; readonly key: string }
  /** Where the data goes. @default the system's temporary folder */
  readonly directory?: string
}

/** How a server is stopped: `fast` ends sessions and writes everything back; `immediate` is a crash. */
export type StopMode = 'fast' | 'immediate'

/** A server of its own, on 127.0.0.1. */
export interface PostgresServer {
  readonly host: string
  readonly port: number
  /** Of the process that starts all others; undefined while it is stopped. */
  readonly pid: number | undefined
  /** Holds the data, the log and the Unix socket. */
  readonly folder: string
  /** As the superuser `postgres`, who needs no password here. */
  url(database?: string): string
  /** @throws with the end of the server's log if it does not start */
  start(): Promise<void>
  stop(mode?: StopMode): Promise<void>
  /** A streaming replica of this server, running. */
  replica(): Promise<PostgresServer>
  /** Makes a replica the primary. */
  promote(): Promise<void>
  /** Stops it and removes its folder. */
  end(): Promise<void>
}

const host = '127.0.0.1'
const startWithinMs = 90_000
const fastSettings = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' }

/** Makes a cluster in a temporary folder and starts it. It ends with this process at the latest. */
export async function startServer(options: ServerOptions = {}): Promise<PostgresServer> {
  const server = new Server(options)
  try {
    await server.initialise()
    await server.start()
    return server
  } catch (error) {
    await server.end()
    throw error
  }
}

class Server implements PostgresServer {
  readonly host = host
  port = 0
  readonly folder: string
  readonly #options: ServerOptions
  readonly #account: Account | undefined = serverAccount()
  readonly #binaries = findBinaries()
  readonly #data: string
  #process: ChildProcess | undefined
  readonly #atExit = (): void => {
    this.#process?.kill('SIGQUIT')
    // Nothing else runs any more in this process: all that can be done is to look until its last file is gone.
    for (let i = 0; i < 200 && existsSync(join(this.#data, 'postmaster.pid')); i++) {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    }
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  constructor(options: ServerOptions) {
    this.#options = options
    this.folder = mkdtempSync(join(options.directory ?? tmpdir(), 'countersign-pg-'))
    this.#data = join(this.folder, 'data')
    chmodSync(this.folder, 0o711)
    mkdirSync(this.#data, { mode: 0o700 })
    mkdirSync(join(this.folder, 'socket'), { mode: 0o755 })
    this.#own(this.#data)
    this.#own(join(this.folder, 'socket'))
    process.once('exit', this.#atExit)
  }

  get pid(): number | undefined {
    return this.#process?.pid
  }

  url(database = 'postgres'): string {
    return `postgres://postgres@${this.host}:${this.port}/${database}`
  }

  async initialise(): Promise<void> {
    await this.#run('initdb', [
      ...['-D', this.#data, '-U', 'postgres', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'],
      '--no-instructions',
    ])
    // Trust is for 127.0.0.1 alone, where the server listens; the role `guarded` shows what passwords do.
    const access = readFileSync(join(this.#data, 'pg_hba.conf'), 'utf8')
    this.#write('pg_hba.conf', `host all guarded 127.0.0.1/32 scram-sha-256\n${access}`)
    const durability = this.#options.durable === true ? {} : fastSettings
    this.port = await freePort()
    const settings = {
      listen_addresses: host,
      unix_socket_directories: join(this.folder, 'socket'),
      max_connections: '200',
      shared_buffers: '64MB',
      max_wal_size: '256MB',
      log_min_messages: 'warning',
      wal_level: 'replica',
      hot_standby: 'on',
      ...durability,
      ...this.#tls(),
      ...this.#options.settings,
    }
    this.#settings('postgresql.conf', settings)
  }

  async start(): Promise<void> {
    if (this.port === 0) this.port = await freePort()
    const log = openSync(join(this.folder, 'log'), 'a')
    const [command, args] = asAccount(this.#account, join(this.#binaries, 'postgres'), [
      ...['-D', this.#data, '-c', `port=${this.port}`],
    ])
    const started = spawn(command, args, { stdio: ['ignore', log, log], cwd: this.folder, env: environment() })
    closeSync(log)
    started.unref()
    this.#process = started
    const until = Date.now() + startWithinMs
    for (;;) {
      if (started.exitCode !== null || Date.now() > until) throw new Error(`PostgreSQL did not start:\n${this.#log()}`)
      try {
        await query(this.url(), 'SELECT 1')
        return
      } catch {
        await sleep(20)
      }
    }
  }

  async stop(mode: StopMode = 'fast'): Promise<void> {
    const running = this.#process
    this.#process = undefined
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return
    const ended = once(running, 'exit')
    running.kill(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
    running.ref()
    await ended
  }

  async replica(): Promise<PostgresServer> {
    const replica = new Server(this.#options)
    try {
      await replica.#run('pg_basebackup', [
        ...['-d', this.url(), '-D', replica.#data, '--write-recovery-conf', '--wal-method=stream'],
        ...['--checkpoint=fast', '--no-sync'],
      ])
      replica.port = await freePort()
      await replica.#settings('postgresql.auto.conf', {
        unix_socket_directories: join(replica.folder, 'socket'),
      })
      await replica.start()
      return replica
    } catch (error) {
      await replica.end()
      throw error
    }
  }

  async promote(): Promise<void> {
    await query(this.url(), 'SELECT pg_promote(true, 60)')
  }

  async end(): Promise<void> {
    await this.stop('immediate')
    process.off('exit', this.#atExit)
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  #tls(): Readonly<Record<string, string>> {
    const { tls } = this.#options
    if (tls === undefined) return {}
    this.#write('server.crt', tls.cert)
    this.#write('server.key', tls.key)
    chmodSync(join(this.#data, 'server.key'), 0o600)
    return { ssl: 'on' }
  }

  #own(path: string): void {
    if (this.#account !== undefined) chownSync(path, this.#account.uid, this.#account.gid)
  }

  #log(): string {
    return readFileSync(join(this.folder, 'log'), 'utf8').slice(-2_000)
  }

  #settings(file: string, settings: Readonly<Record<string, string>>): void {
    const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value}'\n`)
    this.#write(file, `${readFileSync(join(this.#data, file), 'utf8')}\n${lines.join('')}`)
  }

  #write(file: string, text: string): void {
    writeFileSync(join(this.#data, file), text)
    this.#own(join(this.#data, file))
  }

  async #run(name: string, args: readonly string[]): Promise<void> {
    const [command, all] = asAccount(this.#account, join(this.#binaries, name), args)
    const running = spawn(command, all, { stdio: ['ignore', 'ignore', 'pipe'], cwd: this.folder, env: environment() })
    let said = ''
    running.stderr.on('data', (chunk) => {
      said += chunk
    })
    const [code] = await once(running, 'close')
    if (code !== 0) throw new Error(`${name} ended with ${code}:\n${said}`)
  }
}

/** Nothing of the caller's own PostgreSQL settings. */
function environment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('PG'))
  return { ...Object.fromEntries(kept), LC_ALL: 'C', TZ: 'UTC' }
}
