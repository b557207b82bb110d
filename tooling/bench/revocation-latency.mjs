// How long after the issuer acknowledged a revocation each of 16 guards, in processes of their own, refuses the token:
// with the stream, and with the stream dead, when guards poll each second.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { startPeer } from './harness/child.mjs'

const guards = 16
const revocationsARound = 20
/** Between two revocations, so that they fall anywhere into the second in which heads come and guards poll. */
const mostPauseMs = 150
const longestWaitMs = 10_000
const ways = /** @type {const} */ ([
  { how: 'push', mostP99Ms: 250 },
  { how: 'poll', mostP99Ms: 1_500 },
])

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

/** @param {string} issuer @param {string} how */
async function startGuards(issuer, how) {
  const script = fileURLToPath(new URL('./peers/following-guard.mjs', import.meta.url))
  const children = Array.from({ length: guards }, () => fork(script, [issuer, how]))
  // Each token that is on its way listens for itself.
  for (const child of children) child.setMaxListeners(0)
  await Promise.all(children.map((child) => once(child, 'message', { signal: AbortSignal.timeout(60_000) })))
  return children
}

/** @param {import('node:child_process').ChildProcess[]} children */
async function endGuards(children) {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const ended = once(child, 'exit')
    child.disconnect()
    await ended
  }
}

/**
 * One token, revoked once all guards have admitted it.
 * @param {any} told
 * @param {import('node:child_process').ChildProcess[]} children
 * @returns {Promise<number[]>} milliseconds from the acknowledgement until each guard refused it
 */
async function revokeOne({ url, machine }, children) {
  const grant = { grant_type: 'client_credentials', audience: 'agent-api', ...machine }
  const token = JSON.parse(await post(`${url}/oauth/token`, grant)).access_token
  const id = JSON.parse(Buffer.from(token.split('.')[1], 'base64url').toString()).jti
  const heard = (/** @type {'admitted' | 'refused'} */ what) =>
    Promise.all(
      children.map(
        (child) =>
          /** @type {Promise<any>} */ (
            new Promise((resolve, reject) => {
              const late = setTimeout(() => reject(new Error(`not ${what} by each guard in time`)), longestWaitMs)
              child.on('message', function onMessage(/** @type {any} */ message) {
                if (message[what] !== id) return
                clearTimeout(late)
                child.off('message', onMessage)
                resolve(message)
              })
            })
          ),
      ),
    )
  const admitted = heard('admitted')
  for (const child of children) child.send({ id, token })
  await admitted
  const refused = heard('refused')
  await post(`${url}/oauth/revoke`, { token, ...machine })
  const acknowledged = process.hrtime.bigint()
  // Before the answer was read, some may already have refused it: that is no time at all.
  return (await refused).map(({ at }) => Math.max(0, Number(BigInt(at) - acknowledged) / 1e6))
}

/** @param {{ rounds: number, progress: (text: string) => void }} options */
export async function run({ rounds, progress }) {
  const service = await startPeer('token-service.mjs')
  const count = rounds * revocationsARound
  /** @type {import('./harness/report.mjs').Case[]} */
  const cases = []
  const targets = []
  try {
    for (const { how, mostP99Ms } of ways) {
      progress(`${how}: starting ${guards} guards`)
      const children = await startGuards(service.told.url, how)
      try {
        // The first makes each guard read the keys.
        await revokeOne(service.told, children)
        const running = []
        for (let number = 0; number < count; number += 1) {
          running.push(revokeOne(service.told, children))
          await sleep(Math.random() * mostPauseMs)
        }
        const times = (await Promise.all(running)).flat()
        const p99 = percentile(times, 0.99)
        cases.push(
          { name: `${how}-p50`, value: percentile(times, 0.5), unit: 'ms' },
          { name: `${how}-p99`, value: p99, unit: 'ms', more: { most_ms: Math.max(...times) } },
        )
        targets.push({ what: `${how}-p99 in ms`, most: mostP99Ms, got: p99, met: p99 <= mostP99Ms })
      } finally {
        await endGuards(children)
      }
    }
  } finally {
    await service.stop()
  }
  return { name: 'revocation-latency', settings: { rounds, guards, revocations: count }, cases, targets }
}
