import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

async function run(file: string, variables: Record<string, string>, until?: string) {
  const main = fileURLToPath(new URL(`../src/${file}`, import.meta.url))
  const child = spawn(process.execPath, [main], { env: { PATH: process.env.PATH, ...variables }, stdio: 'pipe' })
  let printed = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      printed += String(text)
      if (until !== undefined && printed.includes(until)) child.kill('SIGTERM')
    })
  }
  const [code] = await once(child, 'close')
  return { code, printed }
}

it('the service starts, and ends with 0 when told to', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-analytics-'))
  const variables = { PORT: '0', REVOCATIONS: 'off', ANALYTICS_DB: join(folder, 'analytics.db') }
  const { code, printed } = await run('main.ts', variables, 'listens')
  await rm(folder, { recursive: true })
  expect({ code, printed: code === 0 ? '' : printed }).toEqual({ code: 0, printed: '' })
})

it('the ETL names what is wrong with its variables and ends with 2', async () => {
  const { code, printed } = await run('etl-main.ts', { CLIENT_ID: 'etl', PAGE_SIZE: '1001' })
  expect(code).toBe(2)
  expect(printed).toMatch(/^CLIENT_SECRET: /m)
  expect(printed).toMatch(/^PAGE_SIZE: expected 1 to 1000/m)
})
