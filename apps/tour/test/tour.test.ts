import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createCanary } from '@countersign/observability/testing'
import { createDatabase } from '@countersign-tooling/postgres'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readArguments } from '../src/arguments.ts'
import { startFleet } from '../src/fleet.ts'
import { get } from '../src/http.ts'
import { steps } from '../src/steps/index.ts'
import { expectThat, walk } from '../src/walk.ts'

let dir: string
const children: ChildProcess[] = []
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'countersign-tour-test-'))
})
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await rm(dir, { recursive: true, force: true })
})

/** Runs the program as `npm start` does. */
function tour(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const main = new URL('../dist/main.js', import.meta.url).pathname
  const child = spawn(process.execPath, [main, ...args], { env: { ...process.env, ...env } })
  children.push(child)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, stdout, stderr })),
  )
  return { child, ended, printed: () => stdout }
}

describe('the tour', () => {
  it('walks every step as it should, and lets no secret into logs, metrics or the audit log', async () => {
    const canary = createCanary()
    const fleet = await startFleet({ dataDir: join(dir, 'data'), postgres: undefined })
    try {
      const results = await walk(fleet, steps, (result) => canary.see(`step ${result.name}`, result))
      expect(results.filter((result) => !result.ok)).toEqual([])
      canary.see('metrics', (await get(fleet.addresses.metrics)).body)
    } finally {
      await fleet.close()
    }
    const { accounts, kept } = fleet
    canary.plant('password', accounts.user.secret)
    canary.plant('client secret', accounts.service.secret)
    canary.plant('password of the operator', accounts.operator.secret)
    canary.plant('password of cmux', accounts.cmux.secret)
    canary.plant('secret of the ETL', fleet.workers.etl.secret)
    canary.plant('secret of billing', fleet.workers.billing.secret)
    canary.plant('secret of the monitor', fleet.monitor.account.secret)
    canary.plant('password of the probe', fleet.monitor.password)
    canary.plant('secret of the bridge', fleet.bridge.client.secret)
    for (const [name, token] of Object.entries(kept)) canary.plant(name, token)
    const log = await readFile(fleet.logFile, 'utf8')
    expect(log.split('\n').length).toBeGreaterThan(20)
    canary.see('log', log)
    canary.see('audit log', await readFile(join(fleet.dataDir, 'data', 'audit.jsonl'), 'utf8'))
    canary.see('database', await readFile(join(fleet.dataDir, 'data', 'countersign.db')))
    expect(canary.leaks()).toEqual([])
    // The canary sings when there is something to sing of.
    canary.see('a leak', `authorization: ${kept.userToken}`)
    expect(canary.leaks()).not.toEqual([])
  })

  it('prints one object for machines and leaves with 0', async () => {
    const { code, stdout, stderr } = await tour(['--once', '--json', '--data', join(dir, 'data')]).ended
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
    const lines = stdout.trim().split('\n')
    expect(lines).toHaveLength(1)
    const result = JSON.parse(lines[0] ?? '')
    expect(result.ok).toBe(true)
    expect(result.steps).toHaveLength(steps.length)
    expect(result.accounts.service.secret).toMatch(/\S{20,}/)
    expect(Object.keys(result.addresses)).toEqual(expect.arrayContaining(['issuer', 'agent-api', 'metrics', 'cmux']))
  })

  it('walks the same on PostgreSQL', async () => {
    const { url } = await createDatabase()
    const { code, stdout, stderr } = await tour([
      '--once',
      '--json',
      '--data',
      join(dir, 'data'),
      '--database-url',
      url,
    ]).ended
    expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' })
    expect(JSON.parse(stdout).steps).toHaveLength(steps.length)
    expect(await readdir(join(dir, 'data', 'data'))).not.toContain('countersign.db')
  })

  it('stays up until Ctrl-C, and ends with 0', async () => {
    const { child, ended, printed } = tour(['--json', '--data', join(dir, 'data')])
    await expect.poll(printed).toMatch(/"ok":true.*\n/)
    const { addresses } = JSON.parse(printed())
    expect((await get(`${addresses.issuer}/readyz`)).status).toBe(200)
    child.kill('SIGINT')
    expect((await ended).code).toBe(0)
    await expect(get(`${addresses.issuer}/readyz`)).rejects.toThrow()
  })

  it('that is stopped in the middle ends soon, says nothing of the rest, and leaves nothing behind', async () => {
    const { child, ended, printed } = tour([], { TMPDIR: dir })
    await expect.poll(printed).toContain('the service is ready')
    expect(await readdir(dir)).toHaveLength(1)
    // A terminal that closes tells more than once.
    child.kill('SIGHUP')
    child.kill('SIGHUP')
    const { code, stdout, stderr } = await ended
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
    expect(stdout).not.toContain('FAIL')
    expect(stdout).not.toContain('the metrics counted it')
    expect(await readdir(dir)).toEqual([])
  })

  it('ends with 2 and its usage when it is called wrongly', async () => {
    const { code, stderr } = await tour(['--twice']).ended
    expect(code).toBe(2)
    expect(stderr).toContain('npm start -- --once')
  })

  it('does not touch a folder that holds something', async () => {
    await writeFile(join(dir, 'mine'), 'keep')
    const { code, stderr } = await tour(['--once', '--data', dir]).ended
    expect(code).toBe(1)
    expect(stderr).toContain('not empty')
    expect(await readFile(join(dir, 'mine'), 'utf8')).toBe('keep')
  })
})

describe('a walk', () => {
  it('notes a surprise and goes on', async () => {
    const results = await walk(
      {},
      [
        { name: 'one', run: async () => expectThat(false, 'no') as never },
        { name: 'two', run: async () => 'fine' },
      ],
      () => undefined,
    )
    expect(results.map(({ ok, detail }) => [ok, detail])).toEqual([
      [false, 'Surprise: no'],
      [true, 'fine'],
    ])
  })
})

it('reads its arguments', () => {
  expect(readArguments(['--once', '--data', 'x'])).toEqual({
    once: true,
    json: false,
    dataDir: 'x',
    postgres: undefined,
    help: false,
  })
  expect(readArguments(['--postgres']).postgres).toBe('own')
  expect(readArguments(['--database-url', 'postgres://a@b/c']).postgres).toEqual({ url: 'postgres://a@b/c' })
  expect(() => readArguments(['--postgres', '--database-url', 'postgres://a@b/c'])).toThrow(TypeError)
  expect(() => readArguments(['--database-url', 'mysql://a@b/c'])).toThrow(TypeError)
  expect(() => readArguments(['now'])).toThrow(TypeError)
})
