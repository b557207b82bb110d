// One guarded route of Express 5 on one core, load from the other: 1,000 tokens that come again and again.

import { startPeer } from './harness/child.mjs'
import { loadCases, ratesOf, withCost } from './harness/loads.mjs'
import { interleave } from './harness/rounds.mjs'
import { ratioTargets } from './harness/targets.mjs'
import { load, requireWrk } from './harness/wrk.mjs'

const peers = ['bare', 'countersign', 'express-oauth2-jwt-bearer', 'jose', 'fast-jwt-cache']
const connections = 64
const warmSeconds = 2
/**
 * V8 widens the space for young objects by what survives in it, so that it is of another size in each peer, and every
 * request costs another share of collecting and of cache misses: here it has one size.
 */
const nodeFlags = ['--min-semi-space-size=16', '--max-semi-space-size=16']

/** A benchmark of refusals, or of a guard that lets everybody in, would be fast too. @param {string} name @param {any} told */
async function checkAnswer(name, { url, bearers }) {
  const statusOf = async (/** @type {string | undefined} */ token) => {
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const response = await fetch(url, { headers })
    await response.text()
    return response.status
  }
  const good = await statusOf(bearers[0])
  const forged = await statusOf(`${bearers[0].slice(0, -10)}AAAAAAAAAA`)
  if (good !== 200 || (forged === 200) !== (name === 'bare')) {
    throw new Error(`${name}: a good token is answered ${good}, a forged one ${forged}`)
  }
}

/** @param {{ rounds: number, seconds: number, pin: boolean, progress: (text: string) => void }} options */
export async function run({ rounds, seconds, pin, progress }) {
  await requireWrk()
  const serverCore = pin ? { core: 0 } : {}
  const loadCore = pin ? { core: 1 } : {}
  const started = []
  try {
    for (const name of peers) {
      progress(`starting ${name}`)
      const peer = { ...(await startPeer('guard.mjs', { ...serverCore, args: [name], nodeFlags })), name }
      started.push(peer)
      await checkAnswer(name, peer.told)
      await load(peer.told, { seconds: warmSeconds, connections, ...loadCore })
    }
    const measured = await interleave(
      started.map((peer) => ({
        name: peer.name,
        run: () => withCost(peer, () => load(peer.told, { seconds, connections, ...loadCore })),
      })),
      { rounds, onRound: (round) => progress(`round ${round} of ${rounds}`) },
    )
    return {
      name: 'http-guard',
      ratio_to: 'bare',
      settings: {
        rounds,
        seconds,
        connections,
        node: nodeFlags.join(' '),
        pinned: pin,
        load: 'wrk',
        tokens: started[0]?.told.bearers.length,
      },
      cases: loadCases(measured, 'bare'),
      targets: ratioTargets(ratesOf(measured), [
        ['countersign', 'bare', 0.9],
        ['countersign', 'express-oauth2-jwt-bearer', 5],
        ['countersign', 'fast-jwt-cache', 1],
      ]),
    }
  } finally {
    for (const peer of started) await peer.stop()
  }
}
