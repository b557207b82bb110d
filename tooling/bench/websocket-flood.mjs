// 5,000 sockets that upgrade and then say nothing, from 250 addresses and more, again and again until the deadline has
// passed: a client with a token gets in from another address meanwhile, and nothing is left of them afterwards.

import { readdirSync } from 'node:fs'
import { startPeer } from './harness/child.mjs'
import { keyFrom, makeTokens } from './harness/issuer.mjs'
import { ask, authenticate, inParallel, openSocket } from './harness/ws-load.mjs'

const sockets = Number(process.env.BENCH_SOCKETS ?? 5_000)
const width = 128
/** After the last of them was opened: the deadline of 5 s, and a while. */
const waitMs = 7_000

/** @param {readonly number[]} values @param {number} share */
function percentile(values, share) {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** @param {{ pin: boolean, progress: (text: string) => void }} options */
export async function run({ pin, progress }) {
  const peer = await startPeer('websocket.mjs', { ...(pin ? { core: 0 } : {}), args: ['countersign'] })
  try {
    const { port, controlPort, privatePem, pid } = peer.told
    const descriptors = () => readdirSync(`/proc/${pid}/fd`).length
    const tokens = makeTokens(keyFrom(privatePem), 2_000)
    let entered = 0
    /** @type {number[]} */
    const entriesMs = []
    const enter = async () => {
      const from = performance.now()
      // From an address that no attacker has.
      const opened = await authenticate(port, 'countersign', tokens[entered] ?? '', 1_000_000)
      entriesMs.push(performance.now() - from)
      entered += 1
      opened.socket.destroy()
      await opened.ended
    }
    const flood = () =>
      inParallel(sockets, width, (index) => openSocket(port, { index, protocol: 'wsauth.v1' }).catch(() => undefined))
    // Once before, so that what is made once is there.
    for (let index = 0; index < 50; index += 1) await enter()
    const warm = await flood()
    for (const each of warm) each?.socket.destroy()
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    const before = await ask(controlPort, '/held')
    const descriptorsBefore = descriptors()
    entriesMs.length = 0
    progress('the flood begins')

    let isOver = false
    const entering = (async () => {
      while (!isOver) {
        await enter()
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    })()
    /** @type {Awaited<ReturnType<typeof flood>>} */
    const silent = await flood()
    const most = descriptors()
    // The silent ones are ended by the server alone.
    await new Promise((resolve) => setTimeout(resolve, waitMs))
    isOver = true
    await entering
    const after = await ask(controlPort, '/held')
    const descriptorsAfter = descriptors()
    const stillOpen = silent.filter((each) => each !== undefined && !each.socket.destroyed).length
    for (const each of silent) each?.socket.destroy()
    const growth = after.rss / before.rss
    const slowest = Math.max(...entriesMs)
    const leaked = Math.max(0, descriptorsAfter - descriptorsBefore)
    return {
      name: 'websocket-flood',
      settings: {
        sockets,
        addresses: Math.ceil(sockets / 16),
        entries: entriesMs.length,
        pinned: pin,
        most_descriptors: most,
      },
      cases: [
        { name: 'resident-after-to-before', value: growth, unit: '' },
        { name: 'descriptors-leaked', value: leaked, unit: '' },
        { name: 'still-open', value: stillOpen, unit: '' },
        { name: 'entry-p50', value: percentile(entriesMs, 0.5), unit: 'ms' },
        { name: 'entry-p99', value: percentile(entriesMs, 0.99), unit: 'ms' },
        { name: 'entry-slowest', value: slowest, unit: 'ms' },
      ],
      targets: [
        { what: 'resident memory after ÷ before', most: 1.1, got: growth, met: growth <= 1.1 },
        {
          what: 'descriptors leaked, sockets still open',
          most: 0,
          got: leaked + stillOpen,
          met: leaked + stillOpen === 0,
        },
        {
          what: 'a client with a token gets in, p99 in ms',
          most: 100,
          got: percentile(entriesMs, 0.99),
          met: percentile(entriesMs, 0.99) <= 100,
        },
      ],
    }
  } finally {
    await peer.stop()
  }
}
