import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '@countersign/tokens'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { withFileLock } from '../src/session/file-lock.ts'
import { findFreePort } from './free-port.ts'
import { password, type RunningService, runService } from './running-service.ts'

const main = new URL('../dist/main.js', import.meta.url).pathname

/** Stands at the issuer's address, so that a test decides when an answer of the token endpoint arrives. */
interface Proxy {
  readonly issuer: string
  refreshes: number
  beforeAnswer: () => Promise<void>
  afterAnswer: () => void
  reset(): void
  close(): Promise<unknown>
}

async function startProxy(target: number): Promise<Proxy> {
  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request)
    const { 'content-type': type, authorization } = request.headers
    const headers = { ...(type && { 'content-type': type }), ...(authorization && { authorization }) }
    const { method = 'GET', url = '/' } = request
    const answer = await fetch(`http://127.0.0.1:${target}${url}`, { method, headers, ...(body && { body }) })
    const answered = await answer.text()
    const isRefresh = url === '/oauth/token'
    if (isRefresh) {
      proxy.refreshes += 1
      await proxy.beforeAnswer()
    }
    response.writeHead(answer.status, { 'content-type': 'application/json' })
    response.end(answered, () => isRefresh && proxy.afterAnswer())
  }
  // A process that was killed in the midst of a question is none to answer.
  const server = createServer((request, response) => void pass(request, response).catch(() => response.destroy()))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const proxy: Proxy = {
    issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refreshes: 0,
    beforeAnswer: async () => {},
    afterAnswer: () => {},
    reset() {
      proxy.refreshes = 0
      proxy.beforeAnswer = async () => {}
      proxy.afterAnswer = () => {}
    },
    close: () => new Promise((done) => server.close(done)),
  }
  return proxy
}

let service: RunningService
let proxy: Proxy
const children = new Set<ChildProcess>()
beforeAll(async () => {
  // The service's time stands still, so that a slow machine cannot outlast the seconds in which a refresh may be repeated.
  const now = systemClock.now()
  const port = await findFreePort()
  proxy = await startProxy(port)
  const behind = { issuer: proxy.issuer, port }
  service = await runService({ clock: { ...systemClock, now: () => now }, behind })
})
afterAll(async () => {
  await service.remove()
  await proxy.close()
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  proxy.reset()
  await rm(service.home, { recursive: true, force: true })
})

interface Started {
  readonly child: ChildProcess
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>
  stderr(): string
}

function start(argv: readonly string[], input = ''): Started {
  const child = spawn(process.execPath, [main, ...argv], {
    cwd: service.folder,
    env: { PATH: process.env.PATH, COUNTERSIGN_HOME: service.home },
    stdio: 'pipe',
  })
  children.add(child)
  child.stdin.on('error', () => {}).end(input)
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const ended = once(child, 'close').then(() => ({ code: child.exitCode, stdout, stderr }))
  return { child, ended, stderr: () => stderr }
}

describe('processes that share a session', () => {
  it('that begin it at once, where there was nothing, leave one, and end the others at the service', async () => {
    const lives = async () => (await service.recorded('session.open')) - (await service.recorded('session.end'))
    const before = await lives()
    const login = ['auth', 'login', '--issuer', service.issuer]
    const all = [1, 2, 3].map(() => start(login, `ada\n${password}\n`))
    for (const { code } of await Promise.all(all.map(({ ended }) => ended))) expect(code).toBe(0)
    expect(await lives()).toBe(before + 1)
    expect((await start(['auth', 'status']).ended).code).toBe(0)
  })

  it('refresh it once between them', async () => {
    // By the time of whoever signs in, the token has all but ended.
    await service.signIn([], { clock: { ...systemClock, now: () => systemClock.now() - 560 } })
    const all = [1, 2, 3].map(() => start(['auth', 'token']))
    const isWaiting = () => all.filter(({ stderr }) => stderr().includes('waiting')).length === 2
    // The first one's answer is on its way for as long as it takes the others to ask, or to wait.
    proxy.beforeAnswer = async () => {
      while (!isWaiting() && proxy.refreshes < 2) await delay(5)
    }
    const ended = await Promise.all(all.map(({ ended }) => ended))
    for (const { code } of ended) expect(code).toBe(0)
    expect(new Set(ended.map(({ stdout }) => stdout)).size).toBe(1)
    expect(proxy.refreshes).toBe(1)
  })

  it('keep it, however many of them are killed while they refresh', async () => {
    await service.signIn()
    let killed = 0
    for (let turn = 0; turn < 8; turn += 1) {
      const { child, ended } = start(['auth', 'refresh'])
      // The service has spent the refresh token: killed before the answer arrives, or while it is put away.
      const kill = (): unknown => child.kill('SIGKILL')
      const early = turn % 2 === 0
      proxy.beforeAnswer = async () => {
        if (early) kill()
      }
      proxy.afterAnswer = () => {
        // Anywhere in what it does with the answer: each of these moments has to be as good as any other.
        setTimeout(kill, turn * 2)
      }
      if ((await ended).code === null) killed += 1
    }
    proxy.reset()
    expect(killed).toBeGreaterThanOrEqual(4)
    expect((await start(['auth', 'refresh']).ended).code).toBe(0)
    expect(await service.recorded('refresh.reuse')).toBe(0)
    expect(JSON.parse((await start(['auth', 'status', '--json']).ended).stdout)).toMatchObject({ state: 'signed-in' })
  })
})

describe('the lock', () => {
  it('is one at a time within a process, too, and passes on what is thrown', async () => {
    const file = `${service.folder}/one.lock`
    let inside = 0
    let most = 0
    const work = async (): Promise<void> => {
      inside += 1
      most = Math.max(most, inside)
      // Nothing tells of those who stay out: this long the door would be open to them.
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
