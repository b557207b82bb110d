// Client credentials, form posts, EdDSA-signed JWTs: how many a second from one core, and how much CPU each costs.
// Ours stores a durable row for every token and an audit line, in SQLite or in PostgreSQL, whose own processes' CPU time is
// not counted; better-auth stores what it stores on SQLite;
// oidc-provider keeps everything in memory and stores no row for a JWT.

import { startPeer } from './harness/child.mjs'
import { loadCases, withCost } from './harness/loads.mjs'
import { interleave } from './harness/rounds.mjs'
import { load, requireWrk } from './harness/wrk.mjs'

const peers = ['countersign-sqlite', 'countersign-postgres', 'oidc-provider-memory', 'better-auth-sqlite']
const baseline = 'oidc-provider-memory'
const connections = 64
const warmSeconds = 2

/** @param {string} token @returns {string} the `alg` of a JWT's header; 'none': no JWT */
function algorithmOf(token) {
  const [header, , signature] = token.split('.')
  if (!header || !signature) return 'none'
  return JSON.parse(Buffer.from(header, 'base64url').toString('utf8')).alg
}

/** One request by hand: a benchmark of refusals would be fast too. @param {any} request */
async function checkAnswer(request) {
  const response = await fetch(request.url, request)
  const answer = /** @type {any} */ (await response.json())
  const algorithm = algorithmOf(String(answer.access_token))
  if (response.status !== 200 || algorithm !== 'EdDSA') {
    const what = `${response.status}, algorithm ${algorithm}, ${answer.error_description ?? answer.error ?? ''}`
    throw new Error(`${request.url}: expected an EdDSA-signed JWT, got ${what}`)
  }
}

/** @param {{ rounds: number, seconds: number, pin: boolean, progress: (text: string) => void }} options */
export async function run({ rounds, seconds, pin, progress }) {
  await requireWrk()
  const [serverCore, loadCore] = pin ? [0, 1] : []
  const started = []
  try {
    for (const name of peers) {
      progress(`starting ${name}`)
      const peer = await startPeer(`${name}.mjs`, serverCore === undefined ? {} : { core: serverCore })
      started.push(peer)
      await checkAnswer(peer.told)
      await load(peer.told, {
        seconds: warmSeconds,
        connections,
        ...(loadCore === undefined ? {} : { core: loadCore }),
      })
    }
    const measured = await interleave(
      started.map((peer) => ({
        name: peer.name,
        run: () =>
          withCost(peer, () =>
            load(peer.told, { seconds, connections, ...(loadCore === undefined ? {} : { core: loadCore }) }),
          ),
      })),
      { rounds, onRound: (round) => progress(`round ${round} of ${rounds}`) },
    )
    return {
      name: 'token-endpoint',
      ratio_to: baseline,
      settings: { rounds, seconds, connections, pinned: pin, load: 'wrk' },
      cases: loadCases(measured, baseline),
    }
  } finally {
    for (const peer of started) await peer.stop()
  }
}
