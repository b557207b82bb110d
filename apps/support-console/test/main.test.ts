import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDataDir, loadConfig } from '@countersign/server'
import { runProgram } from '@countersign-apps/kit/testing'
import { consumers } from '@countersign-apps/token-service/consumers'
import { afterEach, beforeEach, expect, it } from 'vitest'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-console-main-'))
})
afterEach(() => rm(folder, { recursive: true }))

const run = (variables: Record<string, string>, until?: string) => {
  const main = new URL('../src/main.ts', import.meta.url)
  return runProgram(main, { variables, cwd: folder, until })
}

const account = { CLIENT_ID: 'support-console', CLIENT_SECRET: 'needle' }

it('names what is wrong with its variables, never their values, and ends with 2', async () => {
  const { code, printed } = await run({ CLIENT_SECRET: 'needle', TRUST_PROXY: '17', AGENT_API_URL: 'needle' })
  expect(code).toBe(2)
  expect(printed).toMatch(/^CLIENT_ID: /m)
  expect(printed).toMatch(/^TRUST_PROXY: expected 0 to 16/m)
  expect(printed).toMatch(/^AGENT_API_URL: expected/m)
  expect(printed).not.toContain('needle')
})

it('ends with 1 and what to do where there is no token service’s data', async () => {
  await writeFile(
    join(folder, 'countersign.config.json'),
    JSON.stringify({ issuer: 'http://127.0.0.1:4600', consumers }),
  )
  const { code, printed } = await run({ ...account, PORT: '0' })
  expect(code).toBe(1)
  expect(printed).toContain('countersign init')
  expect(printed).not.toContain('needle')
})

it('starts beside the token service’s data, and ends with 0 when told to', async () => {
  const file = join(folder, 'countersign.config.json')
  await writeFile(file, JSON.stringify({ issuer: 'http://127.0.0.1:4600', consumers }))
  await createDataDir(await loadConfig({ file, cwd: folder }))
  const { code, printed } = await run({ ...account, COUNTERSIGN_CONFIG: file, PORT: '0' }, '"listens"')
  expect({ code, printed }).toEqual({ code: 0, printed: expect.stringContaining('support-console') })
})
