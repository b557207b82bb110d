import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadConfig, openTokenService, type TokenServiceParts } from '@countersign/server'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { configFile, consumers } from '../src/index.ts'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))

let folder: string
let child: ChildProcess | undefined
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-token-service-'))
})
afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  await rm(folder, { recursive: true, force: true })
})

function environment(): Record<string, string> {
  return { COUNTERSIGN_DATA_DIR: join(folder, 'data'), COUNTERSIGN_PORT: '0', COUNTERSIGN_METRICS_PORT: '0' }
}

/** Starts the program as it is, and gathers what it prints. */
function run(variables: Record<string, string>) {
  const started = spawn(process.execPath, [main], { env: { PATH: process.env.PATH, ...variables }, stdio: 'pipe' })
  child = started
  let [stdout, stderr] = ['', '']
  started.stdout.on('data', (part) => {
    stdout += String(part)
  })
  started.stderr.on('data', (part) => {
    stderr += String(part)
  })
  const exit = once(started, 'close')
  return {
    started,
    exit,
    stdout: () => stdout,
    stderr: () => stderr,
    /** Where it listens, as its log says. */
    async url(): Promise<string> {
      for (;;) {
        const line = stdout.split('\n').find((text) => text.includes('listens') && text.endsWith('}'))
        if (line !== undefined) return String((JSON.parse(line) as { url: string }).url).replace(/\/$/, '')
        if (started.exitCode !== null) throw new Error(`it ended: ${stderr}`)
        await Promise.race([once(started.stdout, 'data'), exit])
      }
    },
  }
}

/** The same store, opened by another process: what the command line does. */
async function beside<T>(work: (service: TokenServiceParts) => Promise<T>): Promise<T> {
  const service = await openTokenService(await loadConfig({ file: configFile, cwd: folder, env: environment() }))
  try {
    return await work(service)
  } finally {
    await service.close()
  }
}

const password = 'correct horse battery'

describe('the token service of the fleet', () => {
  it('makes its data directory, signs people in, serves each audience, and ends with 0', async () => {
    const service = run(environment())
    const url = await service.url()
    expect((await stat(join(folder, 'data'))).mode & 0o777).toBe(0o700)
    expect((await stat(join(folder, 'data/kek'))).mode & 0o777).toBe(0o600)

    const byCredentials = Object.values(consumers.consumers)
      .filter(({ obtainedBy }) => obtainedBy.includes('client-credentials'))
      .map(({ audience }) => audience)
    const secret = await beside(async ({ issuer }) => {
      await issuer.users.add({ identifier: 'ada', password })
      await issuer.clients.add({ name: 'web', type: 'public', grants: ['sign_in'], audiences: ['agent-api'] })
      const grants = ['client_credentials'] as const
      return (await issuer.clients.add({ name: 'batch', grants, audiences: byCredentials })).secret
    })

    const signedIn = await fetch(`${url}/auth/sign-in`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ identifier: 'ada', secret: password, client_id: 'web' }),
    })
    expect(signedIn.status).toBe(200)
    const answer = (await signedIn.json()) as { access_token: string; scope: string }
    expect(answer.scope.split(' ')).toEqual(Object.keys(consumers['agent-api'].scopes))

    const authorization = `Basic ${Buffer.from(`batch:${secret}`).toString('base64')}`
    const post = (path: string, form: Record<string, string>) =>
      fetch(`${url}${path}`, { method: 'POST', headers: { authorization }, body: new URLSearchParams(form) })
    for (const audience of byCredentials) {
      const issued = await post('/oauth/token', { grant_type: 'client_credentials', audience })
      expect([audience, issued.status]).toEqual([audience, 200])
      const { access_token: token } = (await issued.json()) as { access_token: string }
      const told = (await (await post('/oauth/introspect', { token })).json()) as object
      expect(told).toMatchObject({ active: true, aud: audience })
    }
    const wrong = await post('/oauth/token', { grant_type: 'client_credentials', audience: 'support-console' })
    expect(wrong.status).toBe(400)

    service.started.kill('SIGTERM')
    expect(await service.exit).toEqual([0, null])
    expect(service.stdout() + service.stderr()).not.toContain(password)
    expect(service.stdout()).not.toContain(answer.access_token)
  })

  it('finds everything again after a restart', async () => {
    const first = run(environment())
    await first.url()
    first.started.kill('SIGINT')
    expect(await first.exit).toEqual([0, null])
    const kid = await beside(async ({ rings }) => rings[0]?.status().activeKid)

    const second = run(environment())
    const keys = await (await fetch(`${await second.url()}/.well-known/jwks.json`)).text()
    expect(keys).toContain(kid)
  })

  it('gives a store whose key is missing no other', async () => {
    const first = run(environment())
    await first.url()
    first.started.kill('SIGTERM')
    await first.exit
    await rm(join(folder, 'data/kek'))

    const second = run(environment())
    expect(await second.exit).toEqual([1, null])
    expect(second.stderr()).toContain('exists already')
    await expect(stat(join(folder, 'data/kek'))).rejects.toMatchObject({ code: 'ENOENT' })
  })

  it('names a wrong setting and ends with 1', async () => {
    const service = run({ ...environment(), COUNTERSIGN_PORT: 'many' })
    expect(await service.exit).toEqual([1, null])
    expect(service.stderr()).toContain('COUNTERSIGN_PORT')
    expect(service.stderr()).not.toContain('    at ')
  })
})
