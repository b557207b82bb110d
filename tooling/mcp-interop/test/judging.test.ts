import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { Outcome } from '../src/conformance.ts'
import { isTurnedAway, lists } from '../src/inspector.ts'
import { pageOf } from '../src/page.ts'
import { readReferees } from '../src/referees.ts'
import { openDoor } from '../src/rig.ts'
import { runProgram } from '../src/run-program.ts'
import { tokenProxy } from '../src/token-proxy.ts'
import { judge, unusedExcuses } from '../src/verdict.ts'

const outcome = (change: Partial<Outcome>): Outcome => ({
  ...{ scenario: 'tools-list', passed: 3, failed: 0, warnings: 0, details: [] },
  ...change,
})

describe('a verdict', () => {
  const rows: [what: string, change: Partial<Outcome>, excuse: string | undefined, verdict: string, note: string][] = [
    ['all checks pass', {}, undefined, 'passed', '3'],
    ['one warns', { warnings: 1 }, undefined, 'passed', '3, 1 warning'],
    ['one fails', { failed: 1 }, undefined, 'failed', '3 of 4'],
    ['none was made', { passed: 0, warnings: 2 }, undefined, 'failed', '0 of 0, 2 warnings'],
    ['one fails with an excuse', { failed: 1 }, 'no', 'not applicable', 'no'],
    ['all pass in spite of an excuse', {}, 'no', 'failed', 'passes, though it is listed as not applicable'],
  ]
  it.each(rows)('where %s', (_what, change, excuse, verdict, note) => {
    expect(judge('stable-v1', outcome(change), excuse)).toMatchObject({ verdict, note })
  })

  it('is given on an excuse for what the suite does not have', () => {
    const excuses = { 'tools-list': 'no', 'tools-gone': 'no' }
    expect(unusedExcuses('stable-v1', [outcome({})], excuses)).toMatchObject([
      { scenario: 'tools-gone', verdict: 'failed' },
    ])
  })

  it('on the Inspector holds a list against what must and must not be in it', () => {
    const ended = { code: 0, stderr: '', stdout: JSON.stringify({ tools: [{ name: 'a' }, { name: 'b' }] }) }
    expect(lists(['a'], ['c'])(ended)).toBe(true)
    expect(lists(['a'], ['b'])(ended)).toBe(false)
    expect(lists(['c'], [])(ended)).toBe(false)
    expect(isTurnedAway(ended)).toBe(false)
    expect(isTurnedAway({ code: 3, stdout: '', stderr: 'auth_required' })).toBe(true)
    expect(isTurnedAway({ code: undefined, stdout: '', stderr: '' })).toBe(false)
  })
})

describe('the page', () => {
  it('numbers each reason once', async () => {
    const excused = judge('stable-v1', outcome({ failed: 1 }), 'It has none.')
    const rows = [excused, { ...excused, scenario: 'tools-call' }, judge('next-v2', outcome({}), undefined)]
    const page = pageOf(rows, await readReferees())
    expect(page).toContain('| `tools-list` | – (1) |  |  | ✓ 3 |')
    expect(page).toContain('| `tools-call` | – (1) |  |  |  |')
    expect(page.match(/It has none\./g)).toHaveLength(1)
  })
})

describe('the proxy', () => {
  it('puts a token on what passes, and leaves the rest as it is', async () => {
    const seen: unknown[] = []
    const server = createServer((request, response) => {
      const { method, url, headers } = request
      let body = ''
      request.setEncoding('utf8').on('data', (text: string) => {
        body += text
      })
      request.on('end', () => {
        seen.push([method, url, headers.authorization, headers['x-own'], body])
        response.writeHead(418, { 'x-answer': 'yes' }).end('short and stout')
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const door = await openDoor()
    door.serve(tokenProxy(`http://127.0.0.1:${port}/mcp`, async () => 'the-token'))
    try {
      const headers = { authorization: 'Basic other', 'x-own': 'kept' }
      const response = await fetch(`${door.origin}/mcp?a=b`, { method: 'POST', body: 'tea', headers })
      expect([response.status, response.headers.get('x-answer'), await response.text()]).toEqual([
        ...[418, 'yes', 'short and stout'],
      ])
      expect(seen).toEqual([['POST', '/mcp?a=b', 'Bearer the-token', 'kept', 'tea']])
    } finally {
      await door.close()
      await new Promise((resolve) => server.close(resolve))
    }
  })

  it('hangs up when there is no token, or nobody behind it', async () => {
    const door = await openDoor()
    try {
      door.serve(tokenProxy('http://127.0.0.1:9/mcp', async () => 'the-token'))
      await expect(fetch(`${door.origin}/mcp`)).rejects.toThrow()
      door.serve(tokenProxy('http://127.0.0.1:9/mcp', () => Promise.reject(new Error('refused'))))
      await expect(fetch(`${door.origin}/mcp`)).rejects.toThrow()
    } finally {
      await door.close()
    }
  })
})

describe('a program', () => {
  it('is run to its end, or killed', async () => {
    const script = 'console.log("out"); console.error("err"); process.exitCode = 3'
    expect(await runProgram(process.execPath, ['-e', script], { timeoutMs: 60_000 })).toEqual({
      ...{ code: 3, stdout: 'out\n', stderr: 'err\n' },
    })
    const ended = await runProgram(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { timeoutMs: 200 })
    expect(ended.code).toBeUndefined()
    await expect(runProgram('no-such-program', [], { timeoutMs: 1000 })).rejects.toThrow()
  })
})
