import { execFileSync } from 'node:child_process'
import { chmod, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateDpopKey } from '@countersign/tokens/dpop'
import { describe, expect, it } from 'vitest'
import {
  fileKeyStore,
  isRunnerError,
  RunnerError,
  type RunnerEvent,
  type RunnerFetchOptions,
  runnerErrorCodes,
  runnerErrorRemedies,
  runnerFetch,
} from '../src/node/runner/index.ts'
import { memoryKeys, type RunnerWorld, runnerWorld, temporaryFolder } from './runner-world.ts'

interface Client {
  readonly world: RunnerWorld
  readonly events: RunnerEvent[]
  readonly call: (path?: string, init?: RequestInit) => Promise<number>
  /** Requests to the token endpoint so far. */
  readonly asked: () => number
}

async function client(more: Partial<RunnerFetchOptions> = {}): Promise<Client> {
  const world = await runnerWorld()
  const keys = memoryKeys()
  await world.pair(keys)
  const events: RunnerEvent[] = []
  const before = world.requests.filter((request) => request.endsWith('/token')).length
  const call = runnerFetch({
    url: world.url,
    keys,
    clock: world.clock,
    onEvent: (event) => events.push(event),
    ...more,
  })
  return {
    world,
    events,
    call: async (path = '/jobs', init = {}) => {
      const response = await call(path, init)
      await response.arrayBuffer()
      return response.status
    },
    asked: () => world.requests.filter((request) => request.endsWith('/token')).length - before,
  }
}

describe('runnerFetch', () => {
  it('gets one token for many calls, and renews it during a long job', async () => {
    const { world, call, asked } = await client()
    expect(await Promise.all(Array.from({ length: 8 }, () => call('/jobs?page=2')))).toEqual(Array(8).fill(200))
    expect(asked()).toBe(1)
    for (let minute = 0; minute < 60; minute++) {
      await world.clock.pass(60)
      expect(await call('/jobs', { method: 'POST', body: 'log' })).toBe(200)
    }
    // A token of ten minutes is renewed after seven and a half: at the first call past that.
    expect(asked()).toBe(1 + Math.floor(60 / 8))
  })

  it('goes on through an outage while its token lives, then fails, and recovers by itself', async () => {
    const { world, events, call, asked } = await client()
    expect(await call()).toBe(200)
    await world.clock.pass(460)
    // The token endpoint alone is out of reach: a proxy of the test's own.
    const cut: RunnerFetchOptions['fetch'] = (to, init) =>
      to.endsWith('/token') && down ? Promise.reject(new TypeError('fetch failed')) : fetch(to, init)
    let down = false
    const own = await client({ fetch: cut })
    expect(await own.call()).toBe(200)
    await own.world.clock.pass(460)
    down = true
    expect(await own.call()).toBe(200)
    expect(own.events.at(-1)).toEqual({ type: 'renewal_failed', leftSeconds: 140 })
    expect(await own.call()).toBe(200)
    expect(own.events.filter(({ type }) => type === 'renewal_failed')).toHaveLength(1)
    await own.world.clock.pass(136)
    await expect(own.call()).rejects.toMatchObject({ name: 'RunnerError', code: 'issuer_unavailable' })
    down = false
    expect(await own.call()).toBe(200)
    expect([events.length, asked()]).toEqual([1, 1])
  })

  it('is refused after its revocation, at once and with the reason', async () => {
    const { world, events, call } = await client()
    expect(await call()).toBe(200)
    const issued = world.audit.findLast((entry) => entry.type === 'token_issued')
    await world.runners.revoke(world.ada, issued?.type === 'token_issued' ? issued.runner : '')
    await expect(call()).rejects.toMatchObject({ code: 'token_refused', reason: 'invalid_grant' })
    expect(events.at(-1)).toEqual({ type: 'token_refused', reason: 'invalid_grant' })
  })

  it('gets over an ended epoch by a new token', async () => {
    const { world, call, asked } = await client()
    expect(await call()).toBe(200)
    const issued = world.audit.findLast((entry) => entry.type === 'token_issued')
    await world.runners.endTokens(world.ada, issued?.type === 'token_issued' ? issued.runner : '')
    expect(await call()).toBe(200)
    expect(asked()).toBe(2)
  })

  it('works for a person who is there, by their session', async () => {
    const world = await runnerWorld()
    const keys = memoryKeys()
    await world.pair(keys)
    const getSession = async (): Promise<string> => world.clerk.token(world.sessionId)
    const call = runnerFetch({ url: world.url, keys, clock: world.clock, getSession, scopes: ['jobs:run'] })
    expect((await call('/jobs')).status).toBe(200)
    expect(world.audit.findLast((entry) => entry.type === 'token_issued')).toMatchObject({
      grant: 'session',
      subject: world.userId,
    })
    const wide = runnerFetch({ url: world.url, keys, clock: world.clock, scopes: ['repo:push'] })
    await expect(wide('/jobs')).rejects.toMatchObject({ code: 'token_refused', reason: 'invalid_scope' })
  })

  it('sends its token nowhere else', async () => {
    const { call, world } = await client()
    const before = world.requests.length
    await expect(call('https://evil.example/jobs')).rejects.toMatchObject({ code: 'foreign_origin' })
    await expect(call('//evil.example/jobs')).rejects.toMatchObject({ code: 'foreign_origin' })
    expect(world.requests.length).toBe(before)
  })

  it('says so without a key', async () => {
    const world = await runnerWorld()
    const call = runnerFetch({ url: world.url, keys: memoryKeys() })
    await expect(call('/jobs')).rejects.toMatchObject({ code: 'key_missing' })
    expect(() => runnerFetch({ url: 'http://example.com/runner', keys: memoryKeys() })).toThrow(RunnerError)
    expect(() => runnerFetch({ url: world.url, api: 'ftp://a', keys: memoryKeys() })).toThrow(RunnerError)
  })
})

describe('the key file', () => {
  it('is the only thing on disk, of mode 0600, and said to be unencrypted once', async () => {
    const folder = await temporaryFolder()
    const warnings: string[] = []
    const keys = fileKeyStore(join(folder, 'runner', 'key.json'), { onWarning: (message) => warnings.push(message) })
    expect(await keys.load()).toBeUndefined()
    const world = await runnerWorld()
    await world.pair(keys)
    const call = runnerFetch({ url: world.url, keys, clock: world.clock })
    expect((await call('/jobs')).status).toBe(200)
    expect(await readdir(folder, { recursive: true })).toEqual(['runner', 'runner/key.json'])
    expect((await stat(join(folder, 'runner'))).mode & 0o777).toBe(0o700)
    expect((await stat(join(folder, 'runner/key.json'))).mode & 0o777).toBe(0o600)
    const kept = JSON.parse(await readFile(join(folder, 'runner/key.json'), 'utf8'))
    expect(Object.keys(kept).sort()).toEqual(['crv', 'd', 'kty', 'x'])
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).not.toContain(kept.d)
    await expect(keys.save(await generateDpopKey())).rejects.toMatchObject({ code: 'key_exists' })
    expect(await keys.load()).toEqual(kept)
    expect(await readdir(join(folder, 'runner'))).toEqual(['key.json'])
  })

  it.each([
    ['others may read', 'key_file_exposed', (path: string) => chmod(path, 0o640)],
    ['holds no JSON', 'key_file_unreadable', (path: string) => writeFile(path, 'secret-of-mine')],
    ['holds no key', 'key_file_unreadable', (path: string) => writeFile(path, '{"kty":"oct"}')],
    ['is too long', 'key_file_unreadable', (path: string) => writeFile(path, 'x'.repeat(5_000))],
  ])('is not used when it %s', async (_what, code, spoil) => {
    const path = join(await temporaryFolder(), 'key.json')
    const keys = fileKeyStore(path, { onWarning: () => {} })
    await keys.save(await generateDpopKey())
    await spoil(path)
    const error = await keys.load().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'RunnerError', code })
    expect(String(error)).not.toContain('secret')
  })

  it('is no link, no directory and no pipe', async () => {
    const folder = await temporaryFolder()
    await fileKeyStore(join(folder, 'key.json'), { onWarning: () => {} }).save(await generateDpopKey())
    await symlink(join(folder, 'key.json'), join(folder, 'link'))
    await mkdir(join(folder, 'directory'), { mode: 0o700 })
    execFileSync('mkfifo', ['-m', '600', join(folder, 'pipe')])
    for (const name of ['link', 'directory', 'pipe']) {
      await expect(fileKeyStore(join(folder, name)).load(), name).rejects.toMatchObject({ code: 'key_file_exposed' })
    }
  })

  it('of two that pair at the same time keeps one', async () => {
    const keys = fileKeyStore(join(await temporaryFolder(), 'key.json'), { onWarning: () => {} })
    const both = [await generateDpopKey(), await generateDpopKey('ES256')]
    const saved = await Promise.allSettled(both.map((key) => keys.save(key)))
    const kept = both[saved.findIndex(({ status }) => status === 'fulfilled')]
    expect(saved.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(await keys.load()).toEqual(kept)
  })
})

it('has a remedy for each code', () => {
  for (const code of runnerErrorCodes) {
    expect(runnerErrorRemedies[code]).toMatch(/^[A-Z].{15,}\.$/)
    expect(isRunnerError(new RunnerError(code))).toBe(true)
  }
  expect(isRunnerError(Object.assign(new RunnerError('key_missing'), { code: 'x' }))).toBe(false)
})
