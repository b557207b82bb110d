import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { table, writeResult } from '../harness/report.mjs'
import { balancedOrder, interleave, median, quartiles, ratio, spread } from '../harness/rounds.mjs'
import { load } from '../harness/wrk.mjs'

describe('rounds', () => {
  it('takes the middle', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([7])]).toEqual([2, 2.5, 7])
    expect(spread([5, 1, 3])).toEqual({ median: 3, min: 1, max: 5 })
    expect(quartiles([9, 1, 5, 7, 3])).toEqual([3, 7])
  })

  it('compares within a round, so that a slow round changes nothing', () => {
    expect(ratio([20, 2, 20], [10, 1, 10])).toBe(2)
  })

  it.each([1, 2, 3, 4, 5, 8])('gives %i cases each place and each neighbour equally often', (count) => {
    const rounds = count % 2 === 1 ? 2 * count : count
    const orders = Array.from({ length: rounds }, (_, round) => balancedOrder(count, round))
    const counted = (all: readonly string[]) =>
      new Map(all.map((one) => [one, all.filter((other) => other === one).length]))
    const places = counted(orders.flatMap((order) => order.map((index, place) => `${index} at ${place}`)))
    const neighbours = counted(
      orders.flatMap((order) => order.slice(1).map((index, place) => `${index} after ${order[place]}`)),
    )
    expect([places.size, neighbours.size]).toEqual([count * count, count * (count - 1)])
    expect(new Set(places.values())).toEqual(new Set([rounds / count]))
    expect(new Set(neighbours.values())).toEqual(new Set(count === 1 ? [] : [rounds / count]))
  })

  it('runs every case once a round, in that order', async () => {
    const order: string[] = []
    const cases = ['a', 'b', 'c'].map((name) => ({
      name,
      run: () => {
        order.push(name)
        return order.length
      },
    }))
    const measured = await interleave(cases, { rounds: 4 })
    expect(order.join('')).toBe('abcbcacabcba')
    expect(measured.get('a')).toEqual([1, 6, 8, 12])
  })
})

describe('the report', () => {
  const result = {
    name: 'sample',
    ratio_to: 'peer',
    cases: [
      { name: 'ours', ops_per_s: { median: 12_345.6, min: 1, max: 20_000 }, ratio: 1.5, more: { cpu_us: 81 } },
      { name: 'memory', value: 8.4, unit: 'KiB' },
    ],
  }
  it('is a table', () => {
    expect(table(result)).toMatch(/ours +12,346 +1\.00 +20,000 +1\.50 +81\.0\nmemory +8\.40 KiB/)
  })
  it('says which targets were missed', () => {
    const targets = [
      { what: 'ours ÷ peer', least: 1, got: 1.5, met: true },
      { what: 'growth', least: 0.95, most: 1.05, got: 1.2, met: false },
    ]
    expect(
      table({ ...result, targets })
        .split('\n')
        .slice(-2),
    ).toEqual(['met     ours ÷ peer: 1.500 (≥ 1)', 'MISSED  growth: 1.200 (≥ 0.95, ≤ 1.05)'])
  })
  it('is a file with the machine and the cases', () => {
    const folder = mkdtempSync(join(tmpdir(), 'results-'))
    try {
      const written = JSON.parse(readFileSync(writeResult(result, folder), 'utf8'))
      expect(written).toMatchObject({ name: 'sample', node: process.versions.node, cases: result.cases })
      expect(written.machine.cores).toBeGreaterThan(0)
      expect(readdirSync(folder)).toEqual(['sample.json'])
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('run.mjs', () => {
  const run = fileURLToPath(new URL('../run.mjs', import.meta.url))
  it.each([[['no-such']], [['--rounds', '0']], [['--seconds', 'x']]])('refuses %j and names what there is', (args) => {
    const { status, stderr } = spawnSync(process.execPath, [run, ...args], { encoding: 'utf8' })
    expect(status).toBe(2)
    expect(stderr).toContain('token-endpoint')
  })
})

describe('wrk', () => {
  async function serve(status: number, run: (url: string, bodies: Set<string>) => Promise<void>): Promise<void> {
    const bodies = new Set<string>()
    const server = createServer((request, response) => {
      let body = `${request.method} ${request.headers['x-test']} `
      request.on('data', (chunk) => {
        body += chunk
      })
      request.on('end', () => {
        bodies.add(body)
        response.writeHead(status).end()
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, bodies)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }

  it('sends the request as given and counts the answers', async () => {
    await serve(200, async (url, bodies) => {
      const request = { url, method: 'POST', headers: { 'X-Test': 'a "b"' }, body: 'x=1&y="2"' }
      const result = await load(request, { seconds: 1, connections: 4 })
      expect(result.requests).toBeGreaterThan(10)
      expect(Math.abs(result.perSecond * result.seconds - result.requests)).toBeLessThan(1)
      expect([...bodies]).toEqual(['POST a "b" x=1&y="2"'])
    })
  })

  it('sends tokens in turns', async () => {
    const seen = new Set<string | undefined>()
    const server = createServer((request, response) => {
      seen.add(request.headers.authorization)
      response.end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
      await load({ url, bearers: ['one', 'two', 'three'] }, { seconds: 1, connections: 2 })
    } finally {
      server.closeAllConnections()
      server.close()
    }
    expect(seen).toEqual(new Set(['Bearer one', 'Bearer two', 'Bearer three']))
  })

  it('fails when an answer is no success', async () => {
    await serve(401, async (url) => {
      await expect(load({ url }, { seconds: 1, connections: 2 })).rejects.toThrow('failed')
    })
  })
})

it('is told what to install where wrk is missing', () => {
  const script = `import { requireWrk } from ${JSON.stringify(new URL('../harness/wrk.mjs', import.meta.url).href)}
    await requireWrk().catch((error) => console.log(error.message))`
  const options = { encoding: 'utf8', env: { PATH: '/nowhere' } } as const
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', script], options)).toContain('apt-get install')
})
