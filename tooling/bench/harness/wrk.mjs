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

/**
 * One measurement. Any answer but 2xx, and any broken connection, is a failure of the benchmark, not a slow request.
 * @param {{ url: string, method?: string, headers?: Record<string, string>, body?: string }} request
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
