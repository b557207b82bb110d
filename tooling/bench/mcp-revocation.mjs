// Open MCP streams, each with a token of its own: from the moment that the token service acknowledged the revocation of
// one until its stream has ended at the client. `subscriptions/listen` of a server of SDK v2, the GET stream of a session
// of v1. The whole way: the service's feed, the guard that follows it, the server.

import { setTimeout as sleep } from 'node:timers/promises'
import { startPeer } from './harness/child.mjs'

const streamsARound = 20
const mostPauseMs = 100
const longestWaitMs = 10_000
const mostP99Ms = 1_000
const accepts = { 'Content-Type': 'application/json', Accept: 'application/json, text/event-stream' }

/** @param {number[]} values @param {number} share */
function percentile(values, share) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

/** @param {string} url @param {Record<string, string>} form */
async function post(url, form) {
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form) })
  const text = await response.text()
  if (response.status !== 200) throw new Error(`${url}: ${response.status}, ${text}`)
  return text
}

/** @param {string} url @param {string} token @param {string} method @param {object} params @param {Record<string, string>} [more] */
function send(url, token, method, params, more = {}) {
  const headers = { ...accepts, Authorization: `Bearer ${token}`, ...more }
  return fetch(url, { method: 'POST', headers, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) })
}

const openers = {
  /** @param {string} url @param {string} token */
  async v2(url, token) {
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'bench', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': {},
    }
    const method = 'subscriptions/listen'
    const headers = { 'Mcp-Protocol-Version': '2026-07-28', 'Mcp-Method': method }
    return send(url, token, method, { notifications: { toolsListChanged: true }, _meta }, headers)
  },
  /** @param {string} url @param {string} token */
  async v1(url, token) {
    const clientInfo = { name: 'bench', version: '1' }
    const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo }
    const opened = await send(url, token, 'initialize', params)
    await opened.text()
    const session = opened.headers.get('mcp-session-id') ?? ''
    const headers = { Authorization: `Bearer ${token}`, Accept: 'text/event-stream', 'Mcp-Session-Id': session }
    return fetch(url, { headers })
  },
}

/** @param {any} service @param {'v1' | 'v2'} sdk @param {string} url @returns {Promise<number>} milliseconds */
async function revokeOne({ url: issuer, machine }, sdk, url) {
  const grant = { grant_type: 'client_credentials', audience: 'agent-api', ...machine }
  const token = JSON.parse(await post(`${issuer}/oauth/token`, grant)).access_token
  const stream = await openers[sdk](url, token)
  if (stream.status !== 200) throw new Error(`${sdk}: the stream is answered ${stream.status}`)
  let isOver = false
  const ended = stream.text().then(() => {
    isOver = true
    return performance.now()
  })
  await sleep(200 + Math.random() * mostPauseMs)
  if (isOver) throw new Error(`${sdk}: the stream ended by itself`)
  await post(`${issuer}/oauth/revoke`, { token, ...machine })
  const acknowledged = performance.now()
  const late = sleep(longestWaitMs, Number.POSITIVE_INFINITY, { ref: false })
  // Before the answer was read the stream may have ended already: that is no time at all.
  return Math.max(0, (await Promise.race([ended, late])) - acknowledged)
}

/** @param {{ rounds: number, progress: (text: string) => void }} options */
export async function run({ rounds, progress }) {
  const service = await startPeer('token-service.mjs')
  const count = rounds * streamsARound
  /** @type {import('./harness/report.mjs').Case[]} */
  const cases = []
  const targets = []
  const servers = await startPeer('mcp-following.mjs', { args: [service.told.url] })
  try {
    for (const sdk of /** @type {const} */ (['v2', 'v1'])) {
      progress(`${sdk}: ${count} streams`)
      const running = []
      for (let number = 0; number < count; number += 1) {
        running.push(revokeOne(service.told, sdk, servers.told[sdk]))
        await sleep(Math.random() * mostPauseMs)
      }
      const times = await Promise.all(running)
      const p99 = percentile(times, 0.99)
      cases.push(
        { name: `${sdk}-p50`, value: percentile(times, 0.5), unit: 'ms' },
        { name: `${sdk}-p99`, value: p99, unit: 'ms', more: { most_ms: Math.max(...times) } },
      )
      targets.push({ what: `${sdk}: stream closed, p99 in ms`, most: mostP99Ms, got: p99, met: p99 <= mostP99Ms })
    }
  } finally {
    await servers.stop()
    await service.stop()
  }
  return { name: 'mcp-revocation', settings: { rounds, streams: count }, cases, targets }
}
