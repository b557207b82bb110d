// 1,000 sockets of one subject whose clients ignore the close frame and go on talking: from the moment that the guard
// is told of the revocation until each TCP connection has ended, and how many messages still reached the application.

import { signAccessTokenSync } from '@countersign/tokens'
import { startPeer } from './harness/child.mjs'
import { keyFrom, makeClaims } from './harness/issuer.mjs'
import { median } from './harness/rounds.mjs'
import { valueCase } from './harness/targets.mjs'
import { ask, authenticate, inParallel, textFrame } from './harness/ws-load.mjs'

const sockets = Number(process.env.BENCH_SOCKETS ?? 1_000)
const limits = JSON.stringify({ socketsPerSubject: 100_000, burst: 100_000, messagesPerSecond: 100_000 })
const message = textFrame('{"type":"echo","data":1}')

/** @param {readonly number[]} values @param {number} share */
function percentile(values, share) {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** @param {{ core?: number }} core */
async function measure(core) {
  const peer = await startPeer('websocket.mjs', { ...core, args: ['countersign', limits] })
  try {
    const { port, controlPort, privatePem } = peer.told
    const key = keyFrom(privatePem)
    const subject = 'one-for-all'
    const all = await inParallel(sockets, 64, (index) =>
      authenticate(port, 'countersign', signAccessTokenSync(makeClaims({ sub: subject }), key.signer), index),
    )
    const talk = setInterval(() => {
      for (let index = 0; index < 50; index += 1) all[Math.floor(Math.random() * all.length)]?.write(message)
    }, 5)
    await new Promise((resolve) => setTimeout(resolve, 300))
    const from = performance.now()
    /** @type {number[]} */
    const endedAfterMs = []
    const ended = Promise.all(all.map((each) => each.ended.then(() => endedAfterMs.push(performance.now() - from))))
    await ask(controlPort, '/revoke', { subject })
    await ended
    clearInterval(talk)
    const { lateMessages, messages } = await ask(controlPort, '/closed')
    if (messages === 0) throw new Error('nobody was talking')
    return { p50: percentile(endedAfterMs, 0.5), p99: percentile(endedAfterMs, 0.99), late: lateMessages }
  } finally {
    await peer.stop()
  }
}

/** @param {{ rounds: number, pin: boolean, progress: (text: string) => void }} options */
export async function run({ rounds, pin, progress }) {
  const measured = []
  for (let round = 1; round <= rounds; round += 1) {
    measured.push(await measure(pin ? { core: 0 } : {}))
    progress(`round ${round} of ${rounds}`)
  }
  const p99 = median(measured.map((each) => each.p99))
  const late = Math.max(...measured.map((each) => each.late))
  return {
    name: 'websocket-revocation',
    settings: { rounds, sockets, pinned: pin },
    cases: [
      valueCase(
        'tcp-closed-p50',
        measured.map((each) => each.p50),
        'ms',
      ),
      valueCase(
        'tcp-closed-p99',
        measured.map((each) => each.p99),
        'ms',
      ),
      { name: 'messages-after', value: late, unit: '' },
    ],
    targets: [
      { what: 'TCP closed, p99 in ms', most: 500, got: p99, met: p99 <= 500 },
      { what: 'messages that reached the application afterwards', most: 0, got: late, met: late === 0 },
    ],
  }
}
