import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runProgram } from '@countersign-apps/kit/testing'
import { expect, it } from 'vitest'

const run = (file: string, variables: Record<string, string>, until?: string) =>
  runProgram(new URL(`../src/${file}`, import.meta.url), { variables, until })

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
