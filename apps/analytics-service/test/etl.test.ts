import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createTokenSource } from '@countersign/token-source'
import { call, serve, startProgram } from '@countersign-apps/kit/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { openReportStore, runEtl, startAnalytics } from '../src/index.ts'
import { startTestFleet, type TestFleet } from './fleet.ts'

const main = new URL('../src/etl-main.ts', import.meta.url)
const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

async function setUp(rows: number): Promise<TestFleet> {
  const fleet = await startTestFleet({ rows })
  ends.push(fleet.close)
  return fleet
}

const messages = (file: string): number => {
  const store = openReportStore(file)
  const sum = store.reports().reduce((total, report) => total + report.messages, 0)
  store.close()
  return sum
}

describe('the ETL', () => {
  it('pages through six lives of a token and a restart of the issuer: no page fails, no row comes twice', async () => {
    const fleet = await setUp(1200)
    const tokens = new Set<string>()
    const source = createTokenSource({
      issuer: fleet.issuer,
      client: fleet.client,
      clock: fleet.clock,
      grant: { type: 'client_credentials', audience: 'agent-api', scope: 'usage:read' },
    })
    ends.push(() => source.close())
    const file = join(fleet.folder, 'analytics.db')
    const store = openReportStore(file)
    ends.push(() => store.close())
    const began = fleet.clock.now()
    let restarted: Promise<void> | undefined
    fleet.onPage = (count) => {
      if (count === 10) restarted = fleet.stopIssuer().then(() => fleet.startIssuer())
    }
    const result = await runEtl({
      agentApi: fleet.agentApi.origin,
      store,
      pageSize: 50,
      source: {
        getToken: async (options) => {
          // Between two pages: a token must not end on its way, nor would it in 0 s of an actual clock.
          fleet.clock.move(160)
          const token = await source.getToken(options)
          tokens.add(token)
          return token
        },
      },
    })
    await restarted
    expect(result).toEqual({ pages: 24, rows: 1200, lost: 0 })
    expect(fleet.pages).toEqual(Array.from({ length: 24 }, () => 200))
    expect(fleet.clock.now() - began).toBeGreaterThan(6 * 600)
    expect(tokens.size).toBeGreaterThanOrEqual(6)
    expect(restarted).toBeDefined()
    expect(messages(file)).toBe(1200)
  })

  it('that is killed goes on behind what it loaded', async () => {
    const fleet = await setUp(2000)
    const file = join(fleet.folder, 'analytics.db')
    const variables = {
      COUNTERSIGN_ISSUER: fleet.issuer,
      AGENT_API: fleet.agentApi.origin,
      ANALYTICS_DB: file,
      CLIENT_ID: fleet.client.id,
      CLIENT_SECRET: fleet.client.secret,
      PAGE_SIZE: '25',
    }
    const run = () => {
      const program = startProgram(main, { variables })
      ends.push(() => program.child.kill('SIGKILL'))
      return program
    }
    for (const dies of [7, 31]) {
      const { child, exit } = run()
      fleet.onPage = (count) => count >= dies && child.kill('SIGKILL')
      expect(await exit).toEqual([null, 'SIGKILL'])
      expect(messages(file)).toBeGreaterThan(0)
      expect(messages(file)).toBeLessThan(2000)
      expect(messages(file) % 25).toBe(0)
    }
    fleet.onPage = () => undefined
    const left = 2000 - messages(file)
    const last = run()
    expect(await last.exit).toEqual([0, null])
    expect(last.printed()).toContain('2000/2000 rows, 100 %')
    expect(last.printed()).toContain(`${left} rows loaded`)
    expect(last.printed()).not.toContain(fleet.client.secret)
    expect(messages(file)).toBe(2000)

    const service = await startAnalytics({
      issuer: fleet.issuer,
      port: 0,
      database: file,
      logDestination: { write: () => undefined },
    })
    ends.push(() => service.close())
    expect((await call(service.url, 'GET', '/reports')).status).toBe(401)
  })

  it('begins again where agent-api was started anew, and tells what was lost', async () => {
    const pages = new Map([
      [0, { log: crypto.randomUUID(), oldest: 3, latest: 4, usage: [entry(3), entry(4)] }],
      [4, { log: crypto.randomUUID(), oldest: 1, latest: 9, usage: [entry(5)] }],
    ])
    const { etl, file } = await over((after) => Response.json(pages.get(after)))
    expect(await etl()).toEqual({ pages: 1, rows: 2, lost: 2 })
    const other = { log: crypto.randomUUID(), oldest: 1, latest: 1, usage: [entry(1)] }
    pages.set(4, { ...other, usage: [] }).set(0, other)
    expect(await etl()).toEqual({ pages: 1, rows: 1, lost: 0 })
    expect(messages(file)).toBe(3)
  })

  it.each([
    ['a page with a gap', () => Response.json({ ...whole, usage: [entry(1), entry(3)] }), 'source_invalid'],
    ['no page', () => new Response('<html>'), 'source_invalid'],
    ['a refusal', () => new Response('', { status: 403 }), 'source_refused'],
    ['an outage', () => new Response('', { status: 503 }), 'source_unavailable'],
  ])('ends with an error at %s', async (_what, answer, code) => {
    const { etl, file } = await over(answer)
    await expect(etl()).rejects.toMatchObject({ name: 'EtlError', code })
    expect(messages(file)).toBe(0)
  })

  it('leaves the rows of another run alone', async () => {
    const { etl, store, file } = await over(() => {
      store.load('agent-api/usage', undefined, { log: whole.log, after: 1 }, [entry(1)])
      return Response.json(whole)
    })
    await expect(etl()).rejects.toMatchObject({ code: 'cursor_moved' })
    expect(messages(file)).toBe(1)
  })
})

const entry = (sequence: number) => ({ sequence, agent: 'concierge', words: 1, at: 1 })
const whole = { log: crypto.randomUUID(), oldest: 1, latest: 2, usage: [entry(1), entry(2)] }

/** The ETL against answers made up. */
async function over(answer: (after: number) => Response) {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-analytics-'))
  const file = join(folder, 'analytics.db')
  const store = openReportStore(file)
  const served = await serve(async (request, response) => {
    const after = Number(new URL(request.url ?? '', 'http://127.0.0.1').searchParams.get('after'))
    const made = answer(after)
    response.writeHead(made.status).end(await made.text())
  })
  ends.push(async () => {
    await served.close()
    store.close()
    await rm(folder, { recursive: true })
  })
  const source = { getToken: async () => 'token' }
  return { file, store, etl: () => runEtl({ agentApi: served.origin, store, source, pause: async () => undefined }) }
}
