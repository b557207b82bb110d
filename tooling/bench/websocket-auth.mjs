// CPU of one authentication over a bare connection: sockets that are opened, authenticated and closed one after the
// other, each with a token that never came before. What bare connections take is taken off; the bare signature check of
// the same process model stands beside it.

import { createPublicKey, verify } from 'node:crypto'
import { pinLoad, startPeer } from './harness/child.mjs'
import { keyFrom, makeTokens } from './harness/issuer.mjs'
import { interleave, median, spread } from './harness/rounds.mjs'
import { ask, authenticate, inParallel } from './harness/ws-load.mjs'

/** Of each kind in a round, taken in so many turns: whatever else the machine does then meets all kinds alike. */
const sockets = Number(process.env.BENCH_SOCKETS ?? 3_000)
const turns = 12
const turnSockets = Math.ceil(sockets / turns)
const width = 32
/** Before: code that is run this often is compiled, by threads whose time would count. */
const warmTurns = 3 * turns
const kinds = /** @type {const} */ (['bare', 'countersign', 'graphql-ws-jose'])

/**
 * Microseconds of CPU of the server, all threads, for each socket; and how many a second.
 * @param {Awaited<ReturnType<typeof startPeer>>} peer
 * @param {(typeof kinds)[number]} kind
 */
async function measure(peer, kind) {
  const { port, controlPort, privatePem } = peer.told
  const tokens = makeTokens(keyFrom(privatePem), turnSockets)
  const cpu = async () => {
    const { user, system } = await ask(controlPort, '/cpu')
    return user + system
  }
  const before = await cpu()
  const from = performance.now()
  await inParallel(turnSockets, width, async (index) => {
    const opened = await authenticate(port, kind, tokens[index] ?? '', index)
    opened.socket.destroy()
    await opened.ended
  })
  const seconds = (performance.now() - from) / 1000
  return { cpu: ((await cpu()) - before) / turnSockets, perSecond: turnSockets / seconds }
}

/** Microseconds of one Ed25519 check of a token's signing input. */
function measureRaw() {
  const key = keyFrom(rawPem)
  const publicKey = createPublicKey(key.publicPem)
  const inputs = makeTokens(key, 200).map((token) => {
    const end = token.lastIndexOf('.')
    return { data: Buffer.from(token.slice(0, end)), signature: Buffer.from(token.slice(end + 1), 'base64url') }
  })
  const before = process.cpuUsage()
  let good = 0
  for (const { data, signature } of inputs) if (verify(null, data, publicKey, signature)) good += 1
  const { user, system } = process.cpuUsage(before)
  if (good !== inputs.length) throw new Error('a good signature was refused')
  return { cpu: (user + system) / inputs.length, perSecond: Number.NaN }
}
let rawPem = ''

/** @param {{ rounds: number, pin: boolean, progress: (text: string) => void }} options */
export async function run({ rounds, pin, progress }) {
  /** @type {{ kind: (typeof kinds)[number], peer: Awaited<ReturnType<typeof startPeer>> }[]} */
  const started = []
  const letGo = pin ? pinLoad() : () => {}
  try {
    for (const kind of kinds) {
      const peer = await startPeer('websocket.mjs', { ...(pin ? { core: 0 } : {}), args: [kind] })
      rawPem = peer.told.privatePem
      started.push({ kind, peer })
      for (let turn = 0; turn < warmTurns; turn += 1) await measure(peer, kind)
    }
    const measured = await interleave(
      [
        ...started.map(({ kind, peer }) => ({ name: /** @type {string} */ (kind), run: () => measure(peer, kind) })),
        { name: 'ed25519', run: async () => measureRaw() },
      ],
      {
        rounds: rounds * turns,
        onRound: (turn) => {
          if (turn % turns === 0) progress(`round ${turn / turns} of ${rounds}`)
        },
      },
    )
    /** A turn that the machine took part in is none of the middle ones. @param {string} name @param {'cpu' | 'perSecond'} what */
    const byRound = (name, what) =>
      Array.from({ length: rounds }, (_, round) =>
        median((measured.get(name) ?? []).slice(round * turns, (round + 1) * turns).map((turn) => turn[what])),
      )
    const cpus = (/** @type {string} */ name) => byRound(name, 'cpu')
    const over = (/** @type {string} */ name) => cpus(name).map((cpu, round) => cpu - (cpus('bare')[round] ?? 0))
    const ratioOf = (/** @type {number[]} */ ours, /** @type {number[]} */ theirs) =>
      median(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)))
    const overRaw = ratioOf(over('countersign'), cpus('ed25519'))
    const overPeer = ratioOf(over('countersign'), over('graphql-ws-jose'))
    return {
      name: 'websocket-auth',
      ratio_to: 'bare',
      settings: { rounds, sockets, turns, in_flight: width, pinned: pin },
      cases: [
        ...kinds.map((name) => ({
          name,
          ops_per_s: spread(byRound(name, 'perSecond')),
          ratio: ratioOf(cpus(name), cpus('bare')),
          more: { cpu_us: median(cpus(name)), over_bare_us: median(over(name)) },
        })),
        { name: 'ed25519', value: median(cpus('ed25519')), unit: 'µs' },
      ],
      targets: [
        { what: 'CPU over bare ÷ one raw Ed25519 check', most: 1.5, got: overRaw, met: overRaw <= 1.5 },
        { what: 'CPU over bare ÷ graphql-ws with jose', most: 0.75, got: overPeer, met: overPeer <= 0.75 },
      ],
    }
  } finally {
    letGo()
    for (const { peer } of started) await peer.stop()
  }
}
