import { runProgram, type StartedProgram, startProgram } from '@countersign-apps/kit/testing'
import { afterEach, expect, it } from 'vitest'

const main = new URL('../src/main.ts', import.meta.url)
let program: StartedProgram | undefined
afterEach(() => program?.child.kill('SIGKILL'))

it('starts, answers, and ends with 0 when told to', async () => {
  program = startProgram(main, { variables: { PORT: '0' } })
  await program.said('listens')
  const line = program
    .printed()
    .split('\n')
    .find((text) => text.includes('listens'))
  const { url } = JSON.parse(line ?? '{}')
  expect((await fetch(`${url.replace(/\/$/, '')}/healthz`)).status).toBe(200)
  program.child.kill('SIGTERM')
  expect(await program.exit).toEqual([0, null])
})

it('names a wrong variable and ends with 2', async () => {
  const { code, printed } = await runProgram(main, { variables: { PORT: 'x' } })
  expect({ code, printed }).toEqual({ code: 2, printed: 'PORT: expected a port number\n' })
})
