// 10,000 sockets that all authenticate again within a minute, while 20 others send messages and wait for their answers:
// how many were dropped, and how long messages took.

import { signAccessTokenSync } from '@countersign/tokens'
import { pinLoad, startPeer } from './harness/child.mjs'
import { keyFrom, makeClaims } from './harness/issuer.mjs'
import { ask, authenticate, inParallel, textFrame } from './harness/ws-load.mjs'

const sockets = Number(process.env.BENCH_SOCKETS ?? 10_000)
const seconds = Number(process.env.BENCH_SECONDS ?? 60)
const talkers = 20
const limits = JSON.stringify({ reauthSeconds: 0 })

/** @param {readonly number[]} values @param {number} share */
function percentile(values, share) {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** @param {{ pin: boolean, progress: (text: string) => void }} options */
export async function run({ pin, progress }) {
  const peer = await startPeer('websocket.mjs', { ...(pin ? { core: 0 } : {}), args: ['countersign', limits] })
  const letGo = pin ? pinLoad() : () => {}
  try {
    const { port, controlPort, privatePem } = peer.told
    const key = keyFrom(privatePem)
    const tokenOf = (/** @type {number} */ index, /** @type {number} */ life) => {
      const now = Math.floor(Date.now() / 1000)
      return signAccessTokenSync(makeClaims({ sub: `user_${index}`, iat: now, exp: now + life }), key.signer)
    }
    const all = await inParallel(sockets + talkers, 64, (index) =>
      authenticate(port, 'countersign', tokenOf(index, 1800), index),
    )
    let dropped = 0
    for (const each of all) void each.ended.then(() => (dropped += 1))
    progress(`${sockets} are connected`)

    // Made before, so that signing them does not keep this process from reading answers.
    const frames = Array.from({ length: sockets }, (_, index) =>
      textFrame(JSON.stringify({ type: 'auth', id: 'again', token: tokenOf(index, 3600) })),
    )
    /** @type {number[]} */
    const delays = []
    let isOver = false
    const talk = Promise.all(
      all.slice(sockets).map(async (talker, number) => {
        for (let round = 0; !isOver; round += 1) {
          const mark = `"m${number}-${round}"`
          const answered = talker.saw(mark)
          const from = performance.now()
          talker.write(textFrame(`{"type":"echo","data":${mark}}`))
          await answered
          delays.push(performance.now() - from)
          await new Promise((resolve) => setTimeout(resolve, 100))
        }
      }),
    )
    const startMs = performance.now()
    for (let index = 0; index < sockets; ) {
      const due = Math.floor(((performance.now() - startMs) / 1000 / seconds) * sockets)
      for (; index < Math.min(due, sockets); index += 1) all[index]?.write(frames[index] ?? Buffer.alloc(0))
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    for (let wait = 0; wait < 100; wait += 1) {
      const { reauthenticated } = await ask(controlPort, '/counts')
      if (reauthenticated >= sockets) break
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    isOver = true
    await talk
    const { reauthenticated } = await ask(controlPort, '/counts')
    const p99 = percentile(delays, 0.99)
    const missing = sockets - reauthenticated
    const result = {
      name: 'websocket-reauth',
      settings: { sockets, seconds, talkers, messages: delays.length, pinned: pin },
      cases: [
        { name: 'dropped', value: dropped, unit: '' },
        { name: 'not-renewed', value: missing, unit: '' },
        { name: 'message-delay-p50', value: percentile(delays, 0.5), unit: 'ms' },
        { name: 'message-delay-p99', value: p99, unit: 'ms' },
      ],
      targets: [
        { what: 'dropped or not renewed', most: 0, got: dropped + missing, met: dropped + missing === 0 },
        { what: 'message delay, p99 in ms', most: 50, got: p99, met: p99 <= 50 },
      ],
    }
    for (const { socket } of all) socket.destroy()
    return result
  } finally {
    letGo()
    await peer.stop()
  }
}
