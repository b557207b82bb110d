// CPU of one authentication over a bare connection: sockets that are opened, authenticated and closed, each with a token
// that never came before. It is a small difference of large numbers. So each kind takes turns of a few milliseconds with
// the same tokens, and what bare connections took in the same turn is taken off, turn by turn: of those differences the
// middle one counts. Each turn begins without young garbage, and pays for its own.

import { pinLoad, startPeer } from './harness/child.mjs'
import { makeKey, makeTokens } from './harness/issuer.mjs'
import { interleave, median, quartiles, spread } from './harness/rounds.mjs'
import { ask, authenticate, inParallel } from './harness/ws-load.mjs'

/** Of each kind in a turn. */
const sockets = Number(process.env.BENCH_SOCKETS ?? 250)
const turnsOfRound = 24
/** Before: code that is run this often is compiled, by threads whose time would count. */
const warmTurns = 80
const width = 32
const kinds = /** @type {const} */ (['bare', 'countersign', 'graphql-ws-jose'])

/** @typedef {{ kind: (typeof kinds)[number], peer: Awaited<ReturnType<typeof startPeer>> }} Started */
/** @typedef {{ cpu: number, perSecond: number }} Turn microseconds of CPU of the server, all threads, for each socket */

/** @param {{ user: number, system: number }} usage */
const total = ({ user, system }) => user + system

/** @param {Started} started @param {readonly string[]} tokens @returns {Promise<Turn>} */
async function measure({ kind, peer }, tokens) {
  const { port, controlPort } = peer.told
  const before = total(await ask(controlPort, '/spent'))
  const from = performance.now()
  await inParallel(tokens.length, width, async (index) => {
    const opened = await authenticate(port, kind, tokens[index] ?? '', index)
    opened.socket.destroy()
    await opened.ended
  })
  const seconds = (performance.now() - from) / 1000
  const spent = total(await ask(controlPort, '/spent')) - before
  return { cpu: spent / tokens.length, perSecond: tokens.length / seconds }
}

/** One Ed25519 check of a token's signing input. @param {Started} started @param {readonly string[]} tokens */
async function measureRaw({ peer }, tokens) {
  const { good, ...usage } = await ask(peer.told.controlPort, '/verify', { tokens })
  if (good !== tokens.length) throw new Error('a good signature was refused')
  const cpu = total(usage) / tokens.length
  return { cpu, perSecond: 1e6 / cpu }
}

/** @param {{ rounds: number, pin: boolean, progress: (text: string) => void }} options */
export async function run({ rounds, pin, progress }) {
  const key = makeKey()
  /** @type {Started[]} */
  const started = []
  const letGo = pin ? pinLoad() : () => {}
  try {
    for (const kind of kinds) {
      const args = [kind, '{}', key.privatePem]
      started.push({ kind, peer: await startPeer('websocket.mjs', { ...(pin ? { core: 0 } : {}), args }) })
    }
    let tokens = makeTokens(key, sockets)
    const nextTokens = () => {
      tokens = makeTokens(key, sockets)
    }
    const cases = [
      ...started.map((each) => ({ name: /** @type {string} */ (each.kind), run: () => measure(each, tokens) })),
      { name: 'ed25519', run: () => measureRaw(/** @type {Started} */ (started[0]), tokens) },
    ]
    await interleave(cases, { rounds: warmTurns, onRound: nextTokens })
    const turns = rounds * turnsOfRound
    const measured = await interleave(cases, {
      rounds: turns,
      onRound: (turn) => {
        nextTokens()
        if (turn % turnsOfRound === 0) progress(`round ${turn / turnsOfRound} of ${rounds}`)
      },
    })
    return report(measured, { rounds, pin })
  } finally {
    letGo()
    for (const { peer } of started) await peer.stop()
  }
}

/** @param {Map<string, Turn[]>} measured @param {{ rounds: number, pin: boolean }} options */
function report(measured, { rounds, pin }) {
  const cpus = (/** @type {string} */ name) => (measured.get(name) ?? []).map(({ cpu }) => cpu)
  const bare = cpus('bare')
  const overBare = (/** @type {string} */ name) => cpus(name).map((cpu, turn) => cpu - (bare[turn] ?? Number.NaN))
  const over = { ours: overBare('countersign'), peer: overBare('graphql-ws-jose') }
  const toRaw = compare(over.ours, cpus('ed25519'), rounds)
  const toPeer = compare(over.ours, over.peer, rounds)
  return {
    name: 'websocket-auth',
    ratio_to: 'bare',
    settings: {
      rounds,
      turns: turnsOfRound,
      sockets,
      in_flight: width,
      pinned: pin,
      ratios_of_rounds: { ed25519: toRaw.rounds, 'graphql-ws-jose': toPeer.rounds },
    },
    cases: [...kinds, 'ed25519'].map((name) => ({
      name,
      ops_per_s: spread((measured.get(name) ?? []).map(({ perSecond }) => perSecond)),
      ratio: median(cpus(name)) / median(bare),
      more: {
        cpu_us: median(cpus(name)),
        ...(name === 'countersign' ? describe(over.ours) : name === 'graphql-ws-jose' ? describe(over.peer) : {}),
      },
    })),
    targets: [
      { what: 'CPU over bare ÷ one raw Ed25519 check', most: 1.5, got: toRaw.all, met: toRaw.all <= 1.5 },
      { what: 'CPU over bare ÷ graphql-ws with jose', most: 0.75, got: toPeer.all, met: toPeer.all <= 0.75 },
    ],
  }
}

/**
 * The ratio of the middle values, and what it was in each round by itself: how far one round is from another.
 * @param {readonly number[]} ours
 * @param {readonly number[]} theirs
 * @param {number} rounds
 */
function compare(ours, theirs, rounds) {
  const part = (/** @type {readonly number[]} */ values, /** @type {number} */ round) =>
    median(values.slice(round * turnsOfRound, (round + 1) * turnsOfRound))
  const each = Array.from({ length: rounds }, (_, round) => part(ours, round) / part(theirs, round))
  return { all: median(ours) / median(theirs), rounds: spread(each) }
}

/** The middle one of the differences, and between which two values half of them lie. @param {readonly number[]} over */
function describe(over) {
  const [low, high] = quartiles(over)
  return { over_bare_us: median(over), middle_half_us: `${low.toFixed(1)}–${high.toFixed(1)}` }
}
