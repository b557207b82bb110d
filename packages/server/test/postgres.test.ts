import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDatabase, startProxy } from '@countersign-tooling/postgres'
import { afterEach, beforeEach, expect, it } from 'vitest'
import {
  createDataDir,
  type ResolvedConfig,
  type RunningTokenService,
  resolveConfig,
  startTokenService,
} from '../src/index.ts'

const input = {
  issuer: 'http://127.0.0.1:4600',
  port: 0,
  consumers: {
    'agent-api': { scopes: ['agents:read'], obtainedBy: ['sign-in', 'client-credentials'], refresh: 'body' },
  },
  metrics: false,
} as const

let dir: string
let database: { readonly url: string; drop(): Promise<void> }
const running: RunningTokenService[] = []
const lines: string[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-server-'))
  database = await createDatabase()
})
afterEach(async () => {
  for (const service of running.splice(0)) await service.close()
  await database.drop()
  await rm(dir, { recursive: true })
  lines.length = 0
})

/** An instance with a data directory of its own, and the key-encryption key that all share. */
function instance(name: string, url = database.url): Promise<ResolvedConfig> {
  const config = { ...input, dataDir: name, kekFile: 'kek', database: url }
  return resolveConfig(config, { baseDir: dir })
}

async function start(config: ResolvedConfig): Promise<RunningTokenService> {
  const service = await startTokenService(config, { logDestination: { write: (line) => lines.push(line) } })
  running.push(service)
  await service.issuer.feed?.started
  return service
}

async function token(service: RunningTokenService, secret: string): Promise<{ status: number; token: string }> {
  const answer = await fetch(`${service.url}/oauth/token`, {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`${secret}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', audience: 'agent-api' }),
  })
  const { access_token: found } = (await answer.json()) as { readonly access_token: string }
  return { status: answer.status, token: found }
}

it('runs on PostgreSQL, as any number of instances', async () => {
  await createDataDir(await instance('one'))
  const one = await start(await instance('one'))
  const two = await start(await instance('two'))
  const jwks = await Promise.all(
    [one, two].map(async ({ url }) => (await fetch(`${url}/.well-known/jwks.json`)).text()),
  )
  expect(jwks[0]).toBe(jwks[1])

  const { client, secret } = await one.issuer.clients.add({
    name: 'billing',
    grants: ['client_credentials'],
    audiences: ['agent-api'],
  })
  const issued = await token(two, `${client.id}:${secret}`)
  expect(issued.status).toBe(200)

  // What one revokes, the other says in its feed.
  await one.issuer.clients.disable('billing')
  await expect.poll(() => two.issuer.feed?.count).toBe(1)
  expect((await token(two, `${client.id}:${secret}`)).status).toBe(401)
  await expect.poll(async () => (await two.issuer.ready()).checks).toEqual({ store: 'ok', keys: 'ok', feed: 'ok' })
  expect(lines.join('')).toContain('connected to the database')
})

/** When the news of the newest head of an instance's feed were read; undefined when it gives out none. */
async function readAt({ issuer }: RunningTokenService): Promise<number | undefined> {
  const head = await issuer.feed?.head().catch(() => undefined)
  const payload = /^[^.]+\.([^.]+)\./u.exec(typeof head === 'string' ? head : JSON.stringify(head ?? ''))?.[1]
  if (payload === undefined) return undefined
  return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')).issued_at
}

it('cut off from its database signs no fresh heads and is not ready; the other goes on', async () => {
  const { hostname, port } = new URL(database.url)
  const proxy = await startProxy({ host: hostname, port: Number(port) })
  const away = new URL(database.url)
  away.port = `${proxy.port}`
  try {
    await createDataDir(await instance('one'))
    const one = await start(await instance('one'))
    const two = await start(await instance('two', away.href))
    const status = async ({ url }: RunningTokenService): Promise<number> => (await fetch(`${url}/readyz`)).status
    await expect.poll(() => status(two)).toBe(200)
    expect(await readAt(two)).toBeGreaterThan(1_700_000_000)

    proxy.cut()
    const cutAt = Date.now() / 1000
    await expect.poll(() => status(two)).toBe(503)
    await expect.poll(() => readAt(one)).toBeGreaterThan(cutAt + 3)
    expect((await readAt(two)) ?? 0).toBeLessThanOrEqual(cutAt + 1)
    await expect.poll(() => status(one)).toBe(200)

    proxy.resume()
    await expect.poll(() => status(two)).toBe(200)
    await expect.poll(() => readAt(two)).toBeGreaterThan(cutAt + 3)
  } finally {
    for (const service of running.splice(0)) await service.close()
    await proxy.close()
  }
})

it('makes tables once, and only when told to', async () => {
  const config = await instance('one')
  await expect(start(config)).rejects.toMatchObject({ code: 'not_initialised' })
  await createDataDir(config)
  await expect(createDataDir(await instance('two'))).rejects.toMatchObject({ code: 'already_initialised' })
})

it('refuses a database without tables: it may be the wrong one', async () => {
  const config = await instance('one')
  await createDataDir(config)
  const other = await createDatabase()
  await expect(start({ ...config, databaseUrl: other.url })).rejects.toMatchObject({ code: 'not_initialised' })
  await other.drop()
})
