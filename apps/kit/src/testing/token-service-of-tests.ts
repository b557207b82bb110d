import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createDataDir,
  type ResolvedConfig,
  type RunningTokenService,
  resolveConfig,
  type StartOptions,
  startTokenService,
} from '@countersign/server'
import { freePort } from './free-port.ts'
import { call } from './serve.ts'

type Issuer = RunningTokenService['issuer']
type NewUser = Parameters<Issuer['users']['add']>[0]
type NewClient = Parameters<Issuer['clients']['add']>[0]

/** Of everybody in the tests. */
export const testPassword = 'correct horse battery'

export interface TestTokenServiceOptions {
  /** The consumer matrix. */
  readonly consumers: object
  /** People, who all have the `testPassword`. */
  readonly users?: readonly Omit<NewUser, 'password'>[]
  readonly clients: readonly NewClient[]
  /** More of its configuration. */
  readonly config?: object
  /** What else it is started with, each time. */
  readonly start?: StartOptions
}

interface SignIn {
  readonly identifier: string
  /** The name of a client. */
  readonly app: string
  readonly audience?: string
  readonly scope?: string
}

export interface TestTokenService {
  /** For whatever else a test keeps on disk; gone with the service. */
  readonly folder: string
  readonly issuer: string
  readonly config: ResolvedConfig
  /** @throws while it is stopped */
  readonly service: RunningTokenService
  /** Of the users, by the name that they sign in with. */
  readonly ids: ReadonlyMap<string, string>
  /** A client, by its name. */
  account(name: string): { readonly id: string; readonly secret: string }
  /** The access token of a new session. */
  signIn(as: SignIn): Promise<string>
  stop(): Promise<void>
  /** Again, on what was there when it was stopped. */
  start(): Promise<void>
  close(): Promise<void>
}

/** A real token service on loopback, with data of its own. */
export async function startTestTokenService(options: TestTokenServiceOptions): Promise<TestTokenService> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-app-'))
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const { consumers, users = [], clients } = options
  const config = await resolveConfig(
    { issuer, port, consumers, metrics: false, log: { level: 'silent' }, ...options.config },
    { baseDir: folder, env: {} },
  )
  await createDataDir(config)
  let running: RunningTokenService | undefined
  const ids = new Map<string, string>()
  const accounts = new Map<string, { id: string; secret: string }>()
  const tokens: TestTokenService = {
    folder,
    issuer,
    config,
    get service() {
      if (running === undefined) throw new Error('The token service is stopped.')
      return running
    },
    ids,
    account(name) {
      const account = accounts.get(name)
      if (account === undefined) throw new Error(`There is no client ${name}.`)
      return account
    },
    async signIn({ identifier, app, ...asked }) {
      const body = { identifier, secret: testPassword, client_id: tokens.account(app).id, ...asked }
      const answer = await call(issuer, 'POST', '/auth/sign-in', { body })
      if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`)
      return answer.body.access_token
    },
    async stop() {
      await running?.close()
      running = undefined
    },
    async start() {
      running = await startTokenService(config, options.start)
    },
    async close() {
      await tokens.stop()
      await rm(folder, { recursive: true })
    },
  }
  await tokens.start()
  for (const user of users) {
    const { id } = await tokens.service.issuer.users.add({ ...user, password: testPassword })
    ids.set(user.identifier, id)
  }
  for (const each of clients) {
    const { client, secret } = await tokens.service.issuer.clients.add(each)
    accounts.set(each.name, { id: client.id, secret: secret ?? '' })
  }
  return tokens
}
