import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeRoutes, type Served, serve, testIssuer } from '@countersign-apps/kit/testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAnalytics } from '../src/create-analytics.ts'
import { openReportStore } from '../src/report-store.ts'
import { consumer } from '../src/scopes.ts'

const folder = await mkdtemp(join(tmpdir(), 'countersign-analytics-'))
const file = join(folder, 'analytics.db')
const store = openReportStore(file)
const issuer = await testIssuer(consumer)
const { app, routes } = createAnalytics({ guard: issuer.guard, store })
let served: Served
beforeAll(async () => {
  served = await serve(app)
})
afterAll(async () => {
  await served.close()
  store.close()
  await rm(folder, { recursive: true })
})

const row = { agent: 'concierge', words: 3, at: 1_800_000_000 }
const send = (body: unknown) => served.call('POST', '/reports/batches', { token: issuer.token(), body })

describe('every route', () => {
  const samples = {
    'GET /whoami': async () => ({}),
    'GET /reports': async () => ({}),
    'POST /reports/batches': async () => ({ body: { batch: 'sample', rows: [row] } }),
  }
  describeRoutes({ consumer, routes, served: () => served, token: issuer.token, samples }, { describe, it })
})

describe('batches', () => {
  it('count once, and are in the reports', async () => {
    const rows = [row, { ...row, words: 5, at: 1_800_000_009 }, { ...row, agent: 'archivist' }]
    const before = await served.call('GET', '/reports', { token: issuer.token() })
    const first = await send({ batch: 'monday', rows })
    expect([first.status, first.body]).toEqual([201, { batch: 'monday', added: 3 }])
    const again = await send({ batch: 'monday', rows })
    expect([again.status, again.body]).toEqual([200, { batch: 'monday', added: 0 }])
    const after = await served.call('GET', '/reports', { token: issuer.token() })
    const count = ({ body }: typeof after) =>
      (body.reports as { messages: number }[]).reduce((sum, { messages }) => sum + messages, 0)
    expect(count(after) - count(before)).toBe(3)
    expect(after.body.reports[0]).toMatchObject({ agent: 'concierge', last: 1_800_000_009 })
  })

  it.each([
    {},
    { batch: 'a b', rows: [row] },
    { batch: 'x', rows: [] },
    { batch: 'x', rows: [{ ...row, words: -1 }] },
    { batch: 'x', rows: [{ ...row, words: 1.5 }] },
    { batch: 'x', rows: [{ ...row, subject: 'ada' }] },
    { batch: 'x', rows: Array.from({ length: 1001 }, () => row) },
  ])('that are wrong answer 400: %j', async (body) => {
    expect((await send(body)).body.error).toBe('invalid_request')
  })
})

it('keeps its rows for its owner only', async () => {
  expect((await stat(file)).mode & 0o777).toBe(0o600)
})
