import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDatabase } from '@countersign-tooling/postgres'
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  backUpService,
  copyServiceDatabase,
  createDataDir,
  planServiceCopy,
  type ResolvedConfig,
  type RunningTokenService,
  resolveConfig,
  restoreService,
  startTokenService,
} from '../src/index.ts'

const input = {
  issuer: 'http://127.0.0.1:4600',
  port: 0,
  consumers: { 'agent-api': { scopes: ['agents:read'], obtainedBy: 'sign-in', refresh: 'body' } },
  metrics: false,
} as const
const client = { method: 'none', clientId: 'web' } as const
const password = 'correct horse battery staple'

let dir: string
let database: { readonly url: string; drop(): Promise<void> }
let service: RunningTokenService | undefined

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-move-'))
  database = await createDatabase()
})
afterEach(async () => {
  await stop()
  await database.drop()
  await rm(dir, { recursive: true })
})

async function start(config: ResolvedConfig): Promise<RunningTokenService> {
  service = await startTokenService(config, { logDestination: { write: () => {} } })
  await service.issuer.feed?.started
  return service
}

async function stop(): Promise<void> {
  await service?.close()
  service = undefined
}

async function renew({ issuer }: RunningTokenService, refreshToken: string): Promise<string> {
  return (await issuer.refresh({ client, refreshToken, deliveredBy: 'body' })).refresh?.token ?? ''
}

it('a service moves to PostgreSQL with its sessions, and back only through a backup', async () => {
  const config = await resolveConfig(input, { baseDir: dir })
  await createDataDir(config)
  const before = await start(config)
  await before.issuer.users.add({ identifier: 'ada', password })
  await before.issuer.clients.add({
    name: 'web',
    type: 'public',
    grants: ['sign_in', 'refresh_token'],
    audiences: ['agent-api'],
  })
  const signedIn = await before.issuer.signIn({ client, identifier: 'ada', secret: password })
  const kid = before.rings[0]?.signer.kid
  const position = before.issuer.feed?.position

  const { url } = database
  expect(await planServiceCopy(config, { to: url })).toMatchObject({
    from: { isInUse: true },
    to: { state: 'missing' },
  })
  await expect(copyServiceDatabase(config, { to: url })).rejects.toMatchObject({ code: 'in_use' })
  await stop()
  const passwordFile = join(dir, 'password')
  await writeFile(passwordFile, 'whatever the test server does not ask for\n', { mode: 0o600 })
  const copied = await copyServiceDatabase(config, { to: url, toPasswordFile: passwordFile })
  expect(copied.tables.sessions?.rows).toBe(1)
  expect(await readFile(config.auditFile, 'utf8')).toContain('"action":"store.copy"')

  const moved = await resolveConfig({ ...input, database: url }, { baseDir: dir })
  const after = await start(moved)
  expect([after.rings[0]?.signer.kid, after.issuer.feed?.position]).toEqual([kid, position])
  expect(await after.issuer.introspectToken(signedIn.accessToken)).toMatchObject({ active: true })
  const next = await renew(after, signedIn.refresh?.token ?? '')

  const backup = join(dir, 'saved.backup')
  expect(await backUpService(moved, backup)).toMatchObject({ engine: 'postgres' })
  await stop()
  await rm(config.databaseFile)
  const { fault, globalGeneration } = await restoreService(config, backup)
  expect([fault, globalGeneration > 1_700_000_000]).toEqual([undefined, true])
  const back = await start(config)
  expect(back.rings[0]?.signer.kid).toBe(kid)
  await expect(renew(back, next)).rejects.toMatchObject({ code: 'invalid_grant' })
  expect((await back.issuer.signIn({ client, identifier: 'ada', secret: password })).refresh).not.toBeNull()
})
