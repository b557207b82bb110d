import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '@countersign/tokens'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { withFileLock } from '../src/session/file-lock.ts'
import { type RunningService, runService } from './running-service.ts'

const main = new URL('../dist/main.js', import.meta.url).pathname

let service: RunningService
const children = new Set<ChildProcess>()
beforeAll(async () => {
  // The service's time stands still, so that a slow machine cannot outlast the seconds in which a refresh may be repeated.
  const now = systemClock.now()
  service = await runService({ clock: { ...systemClock, now: () => now } })
})
afterAll(() => service.remove())
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  await rm(service.home, { recursive: true, force: true })
})

function start(argv: readonly string[]): {
  child: ChildProcess
  ended: Promise<{ code: number | null; stdout: string; stderr: string }>
} {
  const child = spawn(process.execPath, [main, ...argv], {
    cwd: service.folder,
    env: { PATH: process.env.PATH, COUNTERSIGN_HOME: service.home },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.add(child)
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, stdout, stderr }))
  return { child, ended }
}

describe('processes that share a session', () => {
  it('refresh it once between them', async () => {
    // By the time of whoever signs in, the token has all but ended.
    const clock = { ...systemClock, now: () => systemClock.now() - 560 }
    await service.signIn([], { clock })
    const before = await service.recorded('session.refresh')
    const ended = await Promise.all([1, 2, 3].map(() => start(['auth', 'token', '--quiet']).ended))
    for (const { code, stderr } of ended) expect([code, stderr]).toEqual([0, ''])
    expect(new Set(ended.map(({ stdout }) => stdout)).size).toBe(1)
    expect(await service.recorded('session.refresh')).toBe(before + 1)
  })

  it('keep it, however many of them are killed while they refresh', async () => {
    await service.signIn()
    let killed = 0
    for (let turn = 0; turn < 25 && killed < 8; turn += 1) {
      const { child, ended } = start(['auth', 'refresh'])
      // From the moment in which the service has spent the refresh token, up to the end of the process.
      await refreshed(ended)
      await delay(turn * 2)
      child.kill('SIGKILL')
      if ((await ended).code === null) killed += 1
    }
    expect(killed).toBeGreaterThan(0)
    expect(await service.recorded('refresh.reuse')).toBe(0)
    const status = await start(['auth', 'status', '--json']).ended
    expect(JSON.parse(status.stdout)).toMatchObject({ state: 'signed-in' })
    expect((await start(['auth', 'refresh']).ended).code).toBe(0)
  })
})

/** Until the service has recorded one more refresh, or the process has ended: a repeated one is not recorded. */
async function refreshed(ended: Promise<unknown>): Promise<void> {
  const before = await service.recorded('session.refresh')
  let over = false
  const stop = (): void => {
    over = true
  }
  ended.then(stop, stop)
  while (!over && (await service.recorded('session.refresh')) === before) await delay(2)
}

describe('the lock', () => {
  it('is one at a time within a process, too, and passes on what is thrown', async () => {
    const file = `${service.folder}/one.lock`
    let inside = 0
    let most = 0
    const work = async (): Promise<void> => {
      inside += 1
      most = Math.max(most, inside)
      await delay(5)
      inside -= 1
    }
    await Promise.all(Array.from({ length: 5 }, () => withFileLock(file, work)))
    expect(most).toBe(1)
    await expect(withFileLock(file, async () => Promise.reject(new Error('x')))).rejects.toThrow('x')
    await withFileLock(file, work)
  })

  it('is given up on after a while', async () => {
    const file = `${service.folder}/two.lock`
    await withFileLock(file, async () => {
      await expect(withFileLock(file, async () => {}, { waitMs: 30 })).rejects.toMatchObject({ code: 'busy' })
    })
  })

  it('ends with its process, however that ends', async () => {
    const file = `${service.folder}/three.lock`
    const lock = new URL('../dist/session/file-lock.js', import.meta.url).href
    const script = `import { withFileLock } from ${JSON.stringify(lock)}
      await withFileLock(${JSON.stringify(file)}, async () => { console.log('held'); await new Promise((done) => setTimeout(done, 60_000)) })`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    children.add(child)
    await once(child.stdout, 'data')
    await expect(withFileLock(file, async () => {}, { waitMs: 30 })).rejects.toMatchObject({ code: 'busy' })
    child.kill('SIGKILL')
    await once(child, 'close')
    await withFileLock(file, async () => {}, { waitMs: 5_000 })
  })
})
