import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { createServerClock } from '../src/vault/server-clock.ts'
import { appRole, createVaultClient, kubernetes, type VaultRequest, vaultToken } from '../src/vault.ts'
import { openWorld, role, type World, type WorldOptions } from './vault-world.ts'

const read: VaultRequest = { method: 'GET', path: 'secret/data/countersign/keys/tokens' }
const write: VaultRequest = { method: 'POST', path: 'transit/keys/tokens/rotate', body: {} }

let world: World
async function open(options?: WorldOptions): Promise<World> {
  world = await openWorld(options)
  return world
}
afterEach(() => world.close())

/** The outcome of a request, and how long it took by the world's clock. */
async function outcome(
  asked: Promise<unknown>,
  seconds = 12,
): Promise<{ error: unknown; value: unknown; tookMs: number }> {
  const beganMs = world.clock.monotonicMs()
  let tookMs = Number.NaN
  const settled = asked.then(
    (value) => {
      tookMs = world.clock.monotonicMs() - beganMs
      return { error: undefined, value }
    },
    (error: unknown) => {
      tookMs = world.clock.monotonicMs() - beganMs
      return { error, value: undefined }
    },
  )
  await world.clock.advance(seconds)
  return { ...(await settled), tookMs }
}

describe('logging in', () => {
  it('asks for nothing before the first request, and logs in once for many', async () => {
    await open()
    const client = world.client()
    await world.clock.advance(1)
    expect(world.vault.requests).toHaveLength(0)
    await Promise.all(Array.from({ length: 20 }, () => client.request(read)))
    expect(world.asked('auth/approle/login')).toBe(1)
    expect(world.asked(read.path)).toBe(20)
  })

  it('logs in with Kubernetes, reading the file anew each time', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'countersign-jwt-'))
    const jwtFile = join(directory, 'token')
    const terms = { policies: ['token-service'], ttlSeconds: 60, role: 'token-service' }
    await open({ kubernetesRoles: [{ ...terms, jwt: 'jwt-of-today' }] })
    const client = world.client({ auth: kubernetes({ role: 'token-service', jwtFile }) })
    await expect(client.request(read)).rejects.toMatchObject({ code: 'vault_misconfigured' })
    await writeFile(jwtFile, 'jwt-of-yesterday\n')
    await expect(client.request(read)).rejects.toMatchObject({ code: 'vault_denied' })
    await writeFile(jwtFile, 'jwt-of-today\n')
    expect(await client.request(read)).toMatchObject({ status: 404 })
    await rm(directory, { recursive: true })
  })

  it('sends the namespace with everything but the health check', async () => {
    await open({ namespace: 'team/auth' })
    const client = world.client({ namespace: 'team/auth' })
    expect(await client.request(read)).toMatchObject({ status: 404 })
    world.vault.switches.sealed = true
    await outcome(client.request(read))
    world.vault.switches.sealed = false
    await world.clock.advance(2)
    expect(world.events.at(-1)).toMatchObject({ type: 'vault.recovered' })
    expect(
      world.vault.requests.filter(({ path }) => path === 'sys/health').every((one) => one.namespace === undefined),
    ).toBe(true)
    await expect(world.client().request(read)).rejects.toMatchObject({ code: 'vault_refused' })
  })

  it('is denied without a word of the credentials', async () => {
    await open()
    world.vault.switches.tamper = (_path, answer) => ({
      ...answer,
      body: { errors: [`no such secret id: s3cret-id-wrong`] },
    })
    const client = world.client({ auth: appRole({ ...role, secretId: 's3cret-id-wrong' }) })
    const { error } = await outcome(client.request(read))
    expect(error).toMatchObject({ code: 'vault_denied' })
    expect(`${String(error)} ${JSON.stringify(error)} ${(error as Error).stack}`).not.toContain('s3cret-id')
    expect(String(error)).toContain('[redacted]')
  })

  it('revokes its token when closed, but not one that it was given', async () => {
    await open()
    const client = world.client()
    await client.request(read)
    const given = world.vault.issueToken({ policies: ['token-service'], ttlSeconds: 100 })
    const second = world.client({ auth: vaultToken(given) })
    await second.request(read)
    await Promise.all([client.close(), second.close()])
    expect(world.asked('auth/token/revoke-self')).toBe(1)
    await expect(client.request(read)).rejects.toMatchObject({ code: 'closed' })
  })
})

describe('the life of a token', () => {
  const types = (): string[] => world.events.map(({ type }) => type.replace('vault.', ''))

  it('is renewed at two thirds of its lease, give or take a tenth', async () => {
    await open({ ttlSeconds: 300 })
    for (const random of [0, 0.5, 0.999]) await world.client({ random: () => random }).request(read)
    const at: number[] = []
    for (let seconds = 0; seconds < 240; seconds += 1) {
      const before = types().filter((type) => type === 'renewed').length
      await world.clock.advance(1, 1000)
      if (types().filter((type) => type === 'renewed').length > before) at.push(seconds + 1)
    }
    expect(at).toEqual([180, 200, 220])
  })

  it('is replaced when renewals bring less and less, and the old one works until the new one does', async () => {
    await open({ ttlSeconds: 300, maxTtlSeconds: 600 })
    const client = world.client()
    await client.request(read)
    for (let seconds = 0; seconds < 3600; seconds += 10) {
      await world.clock.advance(10, 10_000)
      await client.request(read)
    }
    expect(types()).not.toContain('login_failed')
    expect(world.asked('auth/approle/login')).toBeGreaterThanOrEqual(6)
    expect(world.asked('auth/approle/login')).toBeLessThanOrEqual(13)
    // None of 360 requests met a 403, which would have been followed by a lookup beyond those of the logins.
    expect(world.asked('auth/token/lookup-self')).toBe(world.asked('auth/approle/login'))
  })

  it('is replaced at two thirds when it cannot be renewed', async () => {
    await open({ ttlSeconds: 300, renewable: false })
    const client = world.client()
    await client.request(read)
    await world.clock.advance(201, 1000)
    expect(types()).toEqual(['logged_in', 'logged_in'])
    expect(world.asked('auth/token/renew-self')).toBe(0)
  })

  it('is kept while the login fails, and tried again', async () => {
    await open({ ttlSeconds: 300, renewable: false })
    const client = world.client()
    await client.request(read)
    world.vault.switches.only = /^auth\/approle/
    world.vault.switches.cut = 'reset'
    await world.clock.advance(240, 500)
    expect(types().filter((type) => type === 'login_failed')).toHaveLength(1)
    world.vault.switches.cut = false
    await world.clock.advance(2)
    expect(await client.request(read)).toMatchObject({ status: 404 })
    await world.clock.advance(40, 500)
    expect(types().at(-1)).toBe('logged_in')
  })

  it('that was given and cannot be renewed is told of, not hidden', async () => {
    await open()
    const given = world.vault.issueToken({ policies: ['token-service'], ttlSeconds: 90, renewable: false })
    const client = world.client({ auth: vaultToken(given) })
    await client.request(read)
    await world.clock.advance(80, 1000)
    expect(types()).toContain('login_failed')
    expect(await client.request(read)).toMatchObject({ status: 404 })
    await world.clock.advance(11, 1000)
    await expect(client.request(read)).rejects.toMatchObject({ code: 'vault_denied' })
  })
})

describe('a 403', () => {
  it('for a token that is gone costs one lookup and one login, however many requests meet it', async () => {
    await open()
    const client = world.client()
    await client.request(read)
    world.vault.revokeAllTokens()
    const answers = await Promise.all(Array.from({ length: 30 }, () => client.request(read)))
    expect(answers.every(({ status }) => status === 404)).toBe(true)
    expect(world.asked('auth/approle/login')).toBe(2)
    // One for each login, and one that found the token gone.
    expect(world.asked('auth/token/lookup-self')).toBe(3)
  })

  it('for a missing permission is final after one login, and not another within a minute', async () => {
    await open()
    const client = world.client()
    const forbidden: VaultRequest = { method: 'GET', path: 'secret/data/payroll' }
    const denied = { code: 'vault_denied', message: expect.stringContaining('secret/data/payroll') }
    for (let times = 0; times < 5; times += 1) await expect(client.request(forbidden)).rejects.toMatchObject(denied)
    expect(world.asked('auth/approle/login')).toBe(2)
    await world.clock.advance(61, 1000)
    await expect(client.request(forbidden)).rejects.toMatchObject(denied)
    expect(world.asked('auth/approle/login')).toBe(3)
  })
})

describe('retries', () => {
  it('are five tries at most, with doubled pauses and full jitter', async () => {
    await open()
    const client = world.client({ random: () => 0.999 })
    await client.request(read)
    world.vault.switches.limited = true
    world.vault.switches.tamper = (_path, answer) => answer
    const { error, tookMs } = await outcome(client.request(read))
    expect(error).toMatchObject({ code: 'vault_unavailable', retryAfterSeconds: 1 })
    expect(world.asked(read.path)).toBe(1 + 5)
    expect(tookMs).toBeGreaterThanOrEqual(1498)
    expect(tookMs).toBeLessThanOrEqual(1700)
  })

  it('end within ten seconds, whatever Retry-After says', async () => {
    await open()
    const client = world.client()
    await client.request(read)
    world.vault.switches.limited = true
    const { error, tookMs } = await outcome(client.request(read))
    expect(error).toMatchObject({ code: 'vault_unavailable' })
    expect(tookMs).toBeGreaterThanOrEqual(4000)
    expect(tookMs).toBeLessThanOrEqual(10_000)
  })

  it.each([
    ['a replica that lags (412)', { standby: 'performance' }],
    ['a quota (429)', { limited: true }],
    ['a sealed Vault', { sealed: true }],
    ['a reset connection', { cut: 'reset' }],
    ['half an answer', { cut: 'body' }],
  ] satisfies [string, Partial<World['vault']['switches']>][])('get past %s', async (_what, set) => {
    await open()
    const client = world.client()
    await client.request(read)
    const { sealed, standby, limited, cut } = world.vault.switches
    Object.assign(world.vault.switches, set)
    const asked = client.request(read)
    await world.clock.advance(0)
    Object.assign(world.vault.switches, { sealed, standby, limited, cut })
    const { error, value } = await outcome(asked, 3)
    expect(error).toBeUndefined()
    expect(value).toMatchObject({ status: 404 })
  })

  it('go on after others have given up asking', async () => {
    await open()
    const client = world.client({ random: () => 0.999 })
    await client.request(read)
    world.vault.switches.cut = 'reset'
    const asked = client.request(read)
    await world.clock.advance(0.8)
    expect(world.events.at(-1)).toMatchObject({ type: 'vault.unavailable' })
    world.vault.switches.cut = false
    expect((await outcome(asked, 1)).value).toMatchObject({ status: 404 })
  })

  it('never repeat a rotation whose outcome is not known, but do one that Vault refused to begin', async () => {
    await open()
    const client = world.client()
    world.vault.asRoot('POST', 'transit/keys/tokens', { type: 'ed25519' })
    await client.request(read)
    for (const cut of ['after', 'reset', 'body'] as const) {
      const before = world.asked(write.path)
      world.vault.switches.cut = cut
      const { error } = await outcome(client.request(write), 1)
      expect(error).toMatchObject({ code: 'vault_unavailable' })
      expect(world.asked(write.path)).toBe(before + 1)
      world.vault.switches.cut = false
      await world.clock.advance(2)
    }
    const before = world.asked(write.path)
    world.vault.switches.limited = true
    const asked = client.request(write)
    await world.clock.advance(0.5)
    world.vault.switches.limited = false
    expect((await outcome(asked, 3)).value).toMatchObject({ status: 200 })
    expect(world.asked(write.path)).toBe(before + 2)
  })
})

describe('a Vault that is away', () => {
  it('is asked once a second, and no request waits for it meanwhile', async () => {
    await open()
    const client = world.client()
    await client.request(read)
    world.vault.switches.cut = 'reset'
    await outcome(client.request(read), 3)
    const before = world.vault.requests.length
    const { error, tookMs } = await outcome(client.request(read), 0)
    expect(error).toMatchObject({ code: 'vault_unavailable', retryAfterSeconds: 1 })
    expect(tookMs).toBe(0)
    await world.clock.advance(30)
    const probes = world.vault.requests.slice(before)
    expect(probes.length).toBeGreaterThanOrEqual(29)
    expect(probes.length).toBeLessThanOrEqual(31)
    expect(probes.every(({ path, token }) => path === 'sys/health' && token === undefined)).toBe(true)
    world.vault.switches.cut = false
    await world.clock.advance(1.1)
    expect(await client.request(read)).toMatchObject({ status: 404 })
    expect(world.events.map(({ type }) => type)).toEqual(['vault.logged_in', 'vault.unavailable', 'vault.recovered'])
  })

  it('does not answer in time: each try ends, and a probe too', async () => {
    await open()
    const client = world.client()
    await client.request(read)
    world.vault.switches.latencyMs = 60_000
    const { error, tookMs } = await outcome(client.request(read), 11)
    expect(error).toMatchObject({ code: 'vault_unavailable' })
    expect(tookMs).toBeGreaterThanOrEqual(9000)
    expect(tookMs).toBeLessThanOrEqual(10_050)
    world.vault.switches.latencyMs = 0
    await world.clock.advance(2)
    expect(world.events.at(-1)).toMatchObject({ type: 'vault.recovered' })
  })

  const states: [what: string, isUp: boolean, set: Partial<World['vault']['switches']>][] = [
    ['sealed', false, { sealed: true }],
    ['a secondary for disaster recovery (472)', false, { standby: 'dr' }],
    ['a standby that forwards (429)', true, { standby: 'ha' }],
    ['a performance standby (473)', true, { standby: 'performance' }],
  ]
  it.each(states)('is not back while it is %s: %s', async (_what, isUp, set) => {
    await open()
    const client = world.client()
    await client.request(read)
    world.vault.switches.cut = 'reset'
    await outcome(client.request(read), 3)
    Object.assign(world.vault.switches, { cut: false, ...set })
    await world.clock.advance(3)
    expect(world.events.some(({ type }) => type === 'vault.recovered')).toBe(isUp)
  })
})

describe('what answers instead of Vault', () => {
  it('cannot have the token by a redirect', async () => {
    let reached = 0
    const elsewhere = createServer((_request, response) => {
      reached += 1
      response.end('{}')
    })
    await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve))
    await open()
    const client = world.client()
    await client.request(read)
    world.vault.switches.redirectTo = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}`
    await expect(client.request(read)).rejects.toMatchObject({ code: 'vault_answer_invalid' })
    await new Promise((resolve) => elsewhere.close(resolve))
    expect(reached).toBe(0)
  })

  it.each([
    ['breaks off', 'vault_unavailable', (vault: World['vault']) => Object.assign(vault.switches, { cut: 'body' })],
    [
      'never ends',
      'vault_answer_invalid',
      (vault: World['vault']) => {
        vault.switches.tamper = (_path, answer) => ({ ...answer, body: 'x'.repeat(40_000_000) })
      },
    ],
  ])('an answer that %s is no answer, on the wire', async (_what, code, set) => {
    await open()
    const client = world.client({ fetch: globalThis.fetch })
    await client.request(read)
    set(world.vault)
    const asked = client.request(write)
    await expect(asked).rejects.toMatchObject({ code })
    Object.assign(world.vault.switches, { cut: false, tamper: undefined })
  })

  it.each([
    ['too much', `"${'x'.repeat(300_000)}"`],
    ['no JSON', '<html>'],
  ])('is refused for %s', async (_what, text) => {
    await open()
    const client = world.client({ fetch: async () => new Response(text, { status: 200 }) })
    await expect(client.request(read)).rejects.toMatchObject({ code: 'vault_answer_invalid' })
  })

  it('is refused for a login of another form', async () => {
    await open()
    world.vault.switches.tamper = (path, answer) => (path === 'auth/approle/login' ? { status: 200, body: {} } : answer)
    await expect(world.client().request(read)).rejects.toMatchObject({ code: 'vault_answer_invalid' })
  })

  const addresses: [address: string, accepted: boolean][] = [
    ['https://vault.example.com:8200', true],
    ['https://vault.example.com/proxied/', true],
    ['http://127.0.0.1:8200', true],
    ['http://[::1]:8200', true],
    ['http://localhost:8200', true],
    ['http://vault.example.com:8200', false],
    ['http://127.0.0.1.example.com', false],
    ['http://localhost.example.com', false],
    ['https://user:password@vault.example.com', false],
    ['https://vault.example.com/?a=1', false],
    ['ftp://vault.example.com', false],
    ['vault.example.com', false],
    ['', false],
  ]
  it.each(addresses)('takes the address %j: %s', async (address, accepted) => {
    await open()
    const create = () => createVaultClient({ address, auth: appRole(role) })
    if (accepted) expect(create).not.toThrow()
    else expect(create).toThrow(expect.objectContaining({ code: 'vault_misconfigured' }))
  })

  it('never sees a token over plain HTTP beyond this machine, and bad options are refused', async () => {
    await open()
    for (const timeoutMs of [0, 99, 10_001, Number.NaN]) {
      expect(() => world.client({ timeoutMs })).toThrow(expect.objectContaining({ code: 'vault_misconfigured' }))
    }
    expect(() => world.client({ namespace: 'a\nb' })).toThrow(expect.objectContaining({ code: 'vault_misconfigured' }))
    await expect(world.client({ auth: vaultToken('a\nb') }).request(read)).rejects.toMatchObject({
      code: 'vault_misconfigured',
    })
  })
})

describe('a server clock', () => {
  it('is known to a fraction of a second after some answers, and set anew when it jumps', async () => {
    await open()
    const { clock } = world
    const server = createServerClock(clock)
    expect(server.now(5000)).toBeUndefined()
    const offset = 1_800_000_123.4
    for (let answers = 0; answers < 40; answers += 1) {
      const sentMs = clock.monotonicMs()
      await clock.advance(0.137, 137)
      server.observe(Math.floor(offset + clock.monotonicMs() / 1000), sentMs)
    }
    const error = Math.abs((server.now(5000) ?? 0) - (offset + clock.monotonicMs() / 1000))
    expect(error).toBeLessThan(0.15)
    server.observe(Math.floor(offset - 3600 + clock.monotonicMs() / 1000), clock.monotonicMs())
    expect(Math.abs((server.now(5000) ?? 0) - (offset - 3600 + clock.monotonicMs() / 1000))).toBeLessThan(1)
    await clock.advance(6, 1000)
    expect(server.now(5000)).toBeUndefined()
  })
})
