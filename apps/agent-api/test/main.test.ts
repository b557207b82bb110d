import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'

const main = fileURLToPath(new URL('../src/main.ts', import.meta.url))
let child: ChildProcess | undefined
afterEach(() => child?.kill('SIGKILL'))

/** Starts the program as it is, and gathers what it prints. */
function run(variables: Record<string, string>) {
  const started = spawn(process.execPath, [main], { env: { PATH: process.env.PATH, ...variables }, stdio: 'pipe' })
  child = started
  let printed = ''
  started.stdout.on('data', (part) => {
    printed += part
  })
  started.stderr.on('data', (part) => {
    printed += part
  })
  return { started, exit: once(started, 'exit'), printed: () => printed }
}

it('starts, answers, and ends with 0 when told to', async () => {
  const { started, exit, printed } = run({ PORT: '0' })
  while (!printed().includes('listens')) await Promise.race([once(started.stdout, 'data'), exit])
  const { url } = JSON.parse(
    printed()
      .split('\n')
      .find((line) => line.includes('listens')) ?? '{}',
  )
  expect((await fetch(`${url.replace(/\/$/, '')}/healthz`)).status).toBe(200)
  started.kill('SIGTERM')
  expect(await exit).toEqual([0, null])
})

it('names a wrong variable and ends with 2', async () => {
  const { exit, printed } = run({ PORT: 'x' })
  expect(await exit).toEqual([2, null])
  expect(printed()).toBe('PORT: expected a port number\n')
})
