// Resident bytes of an idle socket at 10,000 of them, each authenticated with a token and a subject of its own.

import { startPeer } from './harness/child.mjs'
import { keyFrom, makeTokens } from './harness/issuer.mjs'
import { interleave, median, ratio } from './harness/rounds.mjs'
import { ask, authenticate, inParallel } from './harness/ws-load.mjs'

const sockets = Number(process.env.BENCH_SOCKETS ?? 10_000)
/** Opened and closed before, several times over: what is made once is there then, and compiled code above all. */
const warm = 3_000
const warmTurns = 4
const kinds = /** @type {const} */ (['bare', 'countersign', 'graphql-ws-jose'])

/** @param {(typeof kinds)[number]} kind @param {{ core?: number }} core */
async function measure(kind, core) {
  const peer = await startPeer('websocket.mjs', { ...core, args: [kind] })
  try {
    const { port, controlPort, privatePem } = peer.told
    const tokens = makeTokens(keyFrom(privatePem), sockets + warm)
    const open = (/** @type {number} */ index) => authenticate(port, kind, tokens[index] ?? '', index)
    for (let turn = 0; turn < warmTurns; turn += 1) {
      const first = await inParallel(warm, 64, open)
      for (const { socket } of first) socket.destroy()
      await Promise.all(first.map(({ ended }) => ended))
    }
    const before = await ask(controlPort, '/held')
    const all = await inParallel(sockets, 64, (index) => open(index + warm))
    const after = await ask(controlPort, '/held')
    for (const { socket } of all) socket.destroy()
    return {
      resident: (after.rss - before.rss) / sockets,
      heap: (after.heapUsed - before.heapUsed) / sockets,
    }
  } finally {
    await peer.stop()
  }
}

/** @param {{ rounds: number, pin: boolean, progress: (text: string) => void }} options */
export async function run({ rounds, pin, progress }) {
  const core = pin ? { core: 0 } : {}
  const measured = await interleave(
    kinds.map((name) => ({ name, run: () => measure(name, core) })),
    { rounds, onRound: (round) => progress(`round ${round} of ${rounds}`) },
  )
  const residents = (/** @type {string} */ name) => (measured.get(name) ?? []).map(({ resident }) => resident)
  const got = ratio(residents('countersign'), residents('bare'))
  return {
    name: 'websocket-memory',
    ratio_to: 'bare',
    settings: { rounds, sockets, pinned: pin },
    cases: kinds.map((name) => ({
      name,
      value: median(residents(name)),
      unit: 'B',
      ratio: ratio(residents(name), residents('bare')),
      more: { heap: median((measured.get(name) ?? []).map(({ heap }) => heap)) },
    })),
    targets: [{ what: 'countersign ÷ bare', most: 1.1, got, met: got <= 1.1 }],
  }
}
