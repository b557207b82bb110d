import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findFreePort } from './free-port.ts'
import { emptyFolder } from './installation.ts'
import { run } from './run.ts'

const main = new URL('../dist/main.js', import.meta.url).pathname

let folder: string
let children: ChildProcess[]
beforeEach(async () => {
  folder = await emptyFolder()
  children = []
})
afterEach(async () => {
  for (const child of children) {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  }
  await rm(folder, { recursive: true, force: true })
})

interface Started {
  readonly child: ChildProcess
  stdout(): string
  stderr(): string
  /** Resolves once stdout has it. */
  says(text: string): Promise<void>
  ended(): Promise<number | null>
}

function start(argv: readonly string[], input = ''): Started {
  const child = spawn(process.execPath, [main, ...argv], {
    cwd: folder,
    // The usual metrics port may be taken by another suite's service.
    env: { PATH: process.env.PATH, COUNTERSIGN_METRICS_PORT: '0' },
    stdio: 'pipe',
  })
  children.push(child)
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdin.on('error', () => {}).end(input)
  const closed = once(child, 'close')
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    async says(text) {
      while (!stdout.includes(text)) {
        const ended = await Promise.race([once(child.stdout, 'data'), closed.then(() => 'ended')])
        if (ended === 'ended' && !stdout.includes(text)) throw new Error(`It ended without saying "${text}": ${stderr}`)
      }
    },
    async ended() {
      await closed
      return child.exitCode
    },
  }
}

/** Runs it to its end. */
async function finish(argv: readonly string[], input?: string) {
  const started = start(argv, input)
  return { exitCode: await started.ended(), stdout: started.stdout(), stderr: started.stderr() }
}

async function signIn(issuer: string, client: string): Promise<string> {
  const answer = await fetch(`${issuer}/auth/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ identifier: 'ada', secret: 'correct horse battery', client_id: client }),
  })
  expect(answer.status).toBe(200)
  const { access_token } = (await answer.json()) as { access_token: string }
  return access_token
}

describe('the countersign process', () => {
  it('makes a service, serves it, works beside it and stops it', async () => {
    const issuer = `http://127.0.0.1:${await findFreePort()}`
    expect(await finish(['init', '--issuer', issuer, '--quiet'])).toMatchObject({ exitCode: 0, stderr: '' })
    const added = await run(['users', 'add', 'ada'], { cwd: folder, input: 'correct horse battery\n' })
    expect(added.exitCode).toBe(0)

    const serving = start(['serve', '--json'])
    await serving.says('}\n')
    expect(JSON.parse(serving.stdout())).toMatchObject({ url: issuer, issuer, pid: serving.child.pid })

    const token = await signIn(issuer, 'countersign-cli')
    expect(await finish(['explain'], token)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('accepted') })
    const argv = ['explain', '--issuer', issuer, '--audience', 'api']
    const foreign = await run(argv, { cwd: folder, input: token })
    expect(foreign).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('only the issuer itself can') })
    expect((await run(['doctor'], { cwd: folder })).stdout).toContain('The service is running.')

    // Beside the running service: the standby shows in its JWKS.
    const rotated = await finish(['keys', 'rotate'])
    expect(rotated).toMatchObject({ exitCode: 0, stdout: expect.stringMatching(/published; activates in 6\d min/u) })
    const kid = rotated.stdout.split(' ')[1] ?? ''
    for (let published = ''; !published.includes(kid); ) {
      published = await (await fetch(`${issuer}/.well-known/jwks.json`)).text()
    }

    serving.child.kill('SIGTERM')
    expect(await serving.ended()).toBe(0)
    await expect(fetch(`${issuer}/healthz`)).rejects.toThrow()
    expect(serving.stdout().trim().split('\n}')).toHaveLength(2)
    expect(serving.stderr()).not.toContain(token)
  })

  it('refuses an address that is taken, with code 1, and leaves nothing running', async () => {
    const issuer = `http://127.0.0.1:${await findFreePort()}`
    await run(['init', '--issuer', issuer], { cwd: folder })
    const first = start(['serve'])
    await first.says(`Countersign answers at ${issuer}`)
    const second = await finish(['serve'])
    expect(second).toMatchObject({ exitCode: 1, stdout: '' })
    expect(second.stderr).toContain('(address_unavailable)')
    expect(second.stderr).not.toContain('    at ')
    first.child.kill('SIGINT')
    expect(await first.ended()).toBe(0)
  })

  it('is reached by its name from the root of the workspace', async () => {
    const shim = new URL('../../../node_modules/.bin/countersign', import.meta.url).pathname
    expect(existsSync(shim)).toBe(true)
    const child = spawn(shim, ['--version'], { stdio: ['ignore', 'pipe', 'ignore'] })
    const [[text]] = await Promise.all([once(child.stdout, 'data'), once(child, 'close')])
    expect(String(text)).toMatch(/^\d+\.\d+\.\d+\n$/u)
  })

  it('does not complain when its reader goes away', async () => {
    const child = spawn('sh', ['-c', `"${process.execPath}" "${main}" --help | head -1`], { stdio: 'pipe' })
    let stderr = ''
    child.stderr.on('data', (text) => {
      stderr += String(text)
    })
    await once(child, 'close')
    expect(stderr).toBe('')
  })

  it('runs in a folder without a configuration and says what to do', async () => {
    const ran = await finish(['keys', 'list'])
    expect(ran).toMatchObject({ exitCode: 1, stdout: '' })
    expect(ran.stderr).toContain(`There is no countersign.config.ts`)
    expect(ran.stderr).toContain('countersign init')
    expect(join(folder, 'data')).toSatisfy((path: string) => !existsSync(path))
  })
})
