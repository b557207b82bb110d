import { chmod, mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKekFile } from '@countersign/sealing'
import { createVerifier } from '@countersign/tokens'
import { remoteJwks } from '@countersign/tokens/jwks'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  createDataDir,
  openTokenService,
  type ResolvedConfig,
  type RunningTokenService,
  resolveConfig,
  startTokenService,
} from '../src/index.ts'

const consumers = {
  'agent-api': {
    scopes: ['agents:read', 'chat:write'],
    obtainedBy: ['sign-in', 'client-credentials'],
    refresh: 'body',
  },
  'old-service': { scopes: ['old:read'], obtainedBy: 'client-credentials', algorithm: 'ES256' },
}
const password = 'correct horse battery staple'

let dir: string
let config: ResolvedConfig
let lines: string[]
const running: { close(): Promise<void> }[] = []

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-server-'))
  lines = []
  // The issuer's port is not known before it listens; nobody follows the issuer's URL in these tests but by `url`.
  config = await resolveConfig(
    { issuer: 'http://127.0.0.1:4600', port: 0, consumers, metrics: { port: 0 }, log: { level: 'debug' } },
    { baseDir: dir },
  )
})
afterEach(async () => {
  for (const part of running.splice(0).reverse()) await part.close()
  await rm(dir, { recursive: true })
})

async function start(): Promise<RunningTokenService> {
  const service = await startTokenService(config, { logDestination: { write: (line) => lines.push(line) } })
  running.push(service)
  return service
}

async function post(url: string, form: Record<string, string>, headers: Record<string, string> = {}) {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form), headers })
  const text = await response.text()
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) }
}

const basic = (id: string, secret: string | null) => ({ authorization: `Basic ${btoa(`${id}:${secret}`)}` })

async function signIn(service: RunningTokenService) {
  const response = await fetch(`${service.url}/auth/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ identifier: 'ada', secret: password, client_id: 'web' }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, string> }
}

async function addAda(service: RunningTokenService): Promise<void> {
  await service.issuer.users.add({ identifier: 'ada', password })
  await service.issuer.clients.add({
    name: 'web',
    type: 'public',
    grants: ['sign_in', 'refresh_token'],
    audiences: ['agent-api'],
  })
}

describe('a token service on SQLite', () => {
  it('refuses to start without a key-encryption key, and to make one over a database', async () => {
    await expect(startTokenService(config)).rejects.toMatchObject({ code: 'not_initialised' })
    await createDataDir(config)
    await expect(createDataDir(config)).rejects.toMatchObject({ code: 'already_initialised' })
    await rm(config.kekFile)
    await writeFile(config.databaseFile, '')
    await expect(createDataDir(config)).rejects.toMatchObject({ code: 'already_initialised' })
  })

  it('moves its keys from one key-encryption key to the next', async () => {
    await createDataDir(config)
    const first = await openTokenService(config)
    const kid = first.rings[0]?.status().activeKid
    await first.close()
    const old = `${config.kekFile}.old`
    await rename(config.kekFile, old)
    await createKekFile(config.kekFile)
    await expect(openTokenService(config)).rejects.toThrow()

    const both = await openTokenService({ ...config, previousKekFiles: [old] })
    for (const ring of [...both.rings, both.feedRing]) await ring.rewrap()
    await both.close()
    await rm(old)
    const after = await openTokenService(config)
    running.push(after)
    expect(after.rings[0]?.status().activeKid).toBe(kid)
  })

  it('does not begin anew when its database is missing', async () => {
    await createDataDir(config)
    await (await startTokenService(config, { logDestination: { write: () => undefined } })).close()
    for (const suffix of ['', '-wal', '-shm']) await rm(config.databaseFile + suffix, { force: true })
    await expect(openTokenService(config)).rejects.toMatchObject({ code: 'not_initialised' })
  })

  it('refuses a data directory that others can enter, or that is a link', async () => {
    await createDataDir(config)
    await chmod(config.dataDir, 0o777)
    await expect(openTokenService(config)).rejects.toMatchObject({ code: 'file_unsafe' })
    await chmod(config.dataDir, 0o700)
    await rename(config.dataDir, `${config.dataDir}-elsewhere`)
    await symlink(`${config.dataDir}-elsewhere`, config.dataDir)
    await expect(openTokenService(config)).rejects.toMatchObject({ code: 'file_unsafe' })
  })

  it('keeps its files to itself', async () => {
    await createDataDir(config)
    await start()
    const mode = async (path: string) => ((await stat(path)).mode & 0o777).toString(8)
    expect(await mode(config.dataDir)).toBe('700')
    expect(await mode(config.kekFile)).toBe('600')
    expect(await mode(config.databaseFile)).toBe('600')
    expect(await mode(config.auditFile)).toBe('600')
  })

  it('issues tokens that a verifier accepts by the JWKS, EdDSA and ES256 by the matrix', async () => {
    await createDataDir(config)
    const service = await start()
    const { client, secret } = await service.issuer.clients.add({
      name: 'etl',
      grants: ['client_credentials'],
      audiences: ['agent-api', 'old-service'],
    })
    const keys = remoteJwks(`${service.url}/.well-known/jwks.json`)
    for (const [audience, alg] of [
      ['agent-api', 'EdDSA'],
      ['old-service', 'ES256'],
    ] as const) {
      const answer = await post(
        `${service.url}/oauth/token`,
        { grant_type: 'client_credentials', audience },
        basic(client.id, secret),
      )
      expect(answer.status).toBe(200)
      const header = JSON.parse(Buffer.from(answer.body.access_token.split('.')[0], 'base64url').toString())
      expect(header).toMatchObject({ alg, typ: 'at+jwt' })
      const verifier = createVerifier({ issuer: config.issuer, audience, keys, algorithms: [alg] })
      expect((await verifier.verify(answer.body.access_token)).subject).toBe(client.id)
    }
    keys.close()
  })

  it('remembers sessions and spent refresh tokens over a restart', async () => {
    await createDataDir(config)
    const first = await start()
    await addAda(first)
    const { body } = await signIn(first)
    const refresh = (url: string, token: string) =>
      post(`${url}/oauth/token`, { grant_type: 'refresh_token', refresh_token: token, client_id: 'web' })
    const second = await refresh(first.url, body.refresh_token ?? '')
    expect(second.status).toBe(200)
    await first.close()

    const again = await start()
    const third = await refresh(again.url, second.body.refresh_token)
    expect(third.status).toBe(200)
    expect((await refresh(again.url, body.refresh_token ?? '')).status).toBe(400)
    // The reuse ended the whole family.
    expect((await refresh(again.url, third.body.refresh_token)).status).toBe(400)
  })

  it('obeys what another process did to the same store', async () => {
    await createDataDir(config)
    const service = await start()
    await addAda(service)
    const { body } = await signIn(service)
    const { client, secret } = await service.issuer.clients.add({
      name: 'etl',
      grants: ['client_credentials'],
      audiences: ['agent-api'],
    })
    const introspect = () =>
      post(`${service.url}/oauth/introspect`, { token: body.access_token ?? '' }, basic(client.id, secret))
    expect((await introspect()).body.active).toBe(true)

    const operator = await openTokenService(config)
    running.push(operator)
    await operator.issuer.users.disable('ada')
    expect((await introspect()).body).toEqual({ active: false })
    expect((await signIn(service)).status).toBe(400)
  })

  it('answers readiness by looking, and writes what it does to the audit log', async () => {
    await createDataDir(config)
    const service = await start()
    await addAda(service)
    await signIn(service)
    const ready = await fetch(`${service.url}/readyz`)
    expect(ready.status).toBe(200)
    expect(await ready.json()).toMatchObject({ status: 'ready' })
    const actions = (await readFile(config.auditFile, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).action)
    expect(actions).toEqual(expect.arrayContaining(['key.create', 'user.add', 'client.add', 'session.open']))
  })

  it('refuses to issue what it cannot record', async () => {
    await createDataDir(config)
    const service = await start()
    await addAda(service)
    // The audit log finds its file gone and its directory with it.
    await rm(config.dataDir, { recursive: true })
    expect((await signIn(service)).status).toBe(503)
  })

  it('says nothing secret in its log, its metrics and its audit log', async () => {
    await createDataDir(config)
    const service = await start()
    await addAda(service)
    const { body } = await signIn(service)
    await fetch(`${service.url}/oauth/token?refresh_token=${body.refresh_token}`, { method: 'POST' })
    await post(`${service.url}/oauth/token`, { grant_type: `${body.access_token}`, client_id: `${body.refresh_token}` })
    const metrics = await (await fetch(service.metricsUrl ?? '')).text()
    const everything = [...lines, metrics, await readFile(config.auditFile, 'utf8')].join('\n')
    for (const secret of [password, body.access_token, body.refresh_token]) expect(everything).not.toContain(secret)
    expect(metrics).toContain('countersign_token_issued_total{grant="sign_in",result="ok"} 1')
    expect(lines.length).toBeGreaterThan(3)
  })
})
