// Load from wrk (Debian): autocannon is heavier than the servers under test.

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** @returns {Promise<void>} @throws with what to install */
export async function requireWrk() {
  try {
    await run('wrk', ['-v'])
  } catch (error) {
    // wrk prints its version and exits with 1.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') {
      throw new Error('wrk is missing: apt-get install -y --no-install-recommends wrk')
    }
  }
}

/** @param {string} text as a Lua string */
const lua = (text) => JSON.stringify(text).replaceAll('\\u', '\\\\u')

/** Requests made before the first is sent, so that taking turns costs the load's core nothing. @param {string} folder @param {readonly string[]} bearers */
function takingTurns(folder, bearers) {
  const file = join(folder, 'bearers')
  writeFileSync(file, bearers.join('\n'))
  return `local requests, count, at = {}, 0, 0
function init()
  for bearer in io.lines(${lua(file)}) do
    wrk.headers["Authorization"] = "Bearer " .. bearer
    count = count + 1
    requests[count] = wrk.format()
  end
end
function request()
  at = at % count + 1
  return requests[at]
end`
}

/**
 * One measurement. Any answer but 2xx, and any broken connection, is a failure of the benchmark, not a slow request.
 * @param {{ url: string, method?: string, headers?: Record<string, string>, body?: string, bearers?: string[] }} request
 *   with `bearers`, each request has the next of these tokens
 * @param {{ seconds: number, connections: number, core?: number }} options
 * @returns {Promise<{ requests: number, seconds: number, perSecond: number, p50Ms: number, p99Ms: number }>}
 */
export async function load(request, { seconds, connections, core }) {
  const folder = mkdtempSync(join(tmpdir(), 'wrk-'))
  try {
    const script = join(folder, 'request.lua')
    const headers = Object.entries(request.headers ?? {}).map(
      ([name, value]) => `wrk.headers[${lua(name)}] = ${lua(value)}`,
    )
    writeFileSync(
      script,
      `wrk.method = ${lua(request.method ?? 'GET')}
${request.body === undefined ? '' : `wrk.body = ${lua(request.body)}`}
${headers.join('\n')}
${request.bearers === undefined ? '' : takingTurns(folder, request.bearers)}
done = function(summary, latency)
  io.write(string.format('RESULT %d %d %d %d %d %d %d %d %d\\n', summary.requests, summary.duration, summary.errors.connect,
    summary.errors.read, summary.errors.write, summary.errors.status, summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
`,
    )
    const wrk = ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, request.url]
    const [command = '', ...args] = core === undefined ? wrk : ['taskset', '-c', String(core), ...wrk]
    const { stdout } = await run(command, args)
    const line = /^RESULT (.*)$/m.exec(stdout)?.[1]
    if (line === undefined) throw new Error(`wrk said nothing of use:\n${stdout}`)
    const [requests = 0, microseconds = 0, connect, read, write, status, timeout, p50 = 0, p99 = 0] = line
      .split(' ')
      .map(Number)
    const errors = { connect, read, write, status, timeout }
    if (Object.values(errors).some((count) => count !== 0)) {
      throw new Error(`${request.url}: ${requests} requests, of which failed: ${JSON.stringify(errors)}`)
    }
    const took = microseconds / 1_000_000
    return { requests, seconds: took, perSecond: requests / took, p50Ms: p50 / 1000, p99Ms: p99 / 1000 }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Longest that a flood may take; a stop for one that hangs. */
const longestFloodSeconds = 120

/**
 * Exactly so many requests, each with a token of its own, whatever they are answered.
 * @param {{ url: string }} request
 * @param {{ lua: string, from: number, count: number, connections: number, core?: number }} options `lua` defines
 *   `bad(index)`
 * @returns {Promise<Record<string, number>>} how often each status was answered
 * @throws when that many answers did not come in time: a connection that breaks has none
 */
export async function flood({ url }, { lua: tokens, from, count, connections, core }) {
  const folder = mkdtempSync(join(tmpdir(), 'wrk-'))
  try {
    const script = join(folder, 'flood.lua')
    writeFileSync(
      script,
      `${tokens}
local at, answered, counts = ${from}, 0, {}
function request()
  wrk.headers["Authorization"] = "Bearer " .. bad(at)
  at = at + 1
  return wrk.format()
end
function response(status)
  counts[status] = (counts[status] or 0) + 1
  answered = answered + 1
  if answered < ${count} then return end
  -- wrk itself only ends when its time is over.
  io.write("RESULT")
  for name, times in pairs(counts) do io.write(" ", name, "=", times) end
  io.write("\\n")
  io.flush()
  os.exit(0)
end
`,
    )
    const wrk = ['wrk', '-t1', `-c${connections}`, `-d${longestFloodSeconds}s`, '-s', script, url]
    const [command = '', ...args] = core === undefined ? wrk : ['taskset', '-c', String(core), ...wrk]
    const { stdout } = await run(command, args)
    const line = /^RESULT (.*)$/m.exec(stdout)?.[1]
    if (line === undefined)
      throw new Error(`${url}: fewer than ${count} answers in ${longestFloodSeconds} s:\n${stdout}`)
    const counts = line.split(' ').map((each) => each.split('='))
    return Object.fromEntries(counts.map(([name = '', times]) => [name, Number(times)]))
  } finally {
    rmSync(folder, { recursive: true })
  }
}
