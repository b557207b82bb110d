// Token exchanges beside client credentials, on one token service and from the same load: of the same subject token again
// and again, as a service does that calls another for one user; and each of a token that was never seen before.

import { loadChains } from './harness/chains.mjs'
import { startPeer } from './harness/child.mjs'
import { loadCases, ratesOf, withCost } from './harness/loads.mjs'
import { interleave } from './harness/rounds.mjs'
import { ratioTargets } from './harness/targets.mjs'

const connections = 64
const baseline = 'client-credentials'
const warmSeconds = 2
/** How many tokens are fetched for a round of distinct ones, against what client credentials give in its time. */
const reserve = 1.2

/** @param {Record<string, string>} fields */
const form = (fields) => new URLSearchParams(fields).toString()

/** @param {{ rounds: number, seconds: number, pin: boolean, progress: (text: string) => void }} options */
export async function run({ rounds, seconds, pin, progress }) {
  const service = await startPeer('token-service.mjs', pin ? { core: 0 } : {})
  try {
    const { told } = service
    const url = `${told.url}/oauth/token`
    const grant = { grant_type: 'client_credentials', scope: 'agents:read', audience: 'agent-api', ...told.api }
    /** @param {string} subjectToken */
    const exchange = (subjectToken) =>
      form({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: subjectToken,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
        scope: 'agents:read',
        audience: 'ledger',
        ...told.api,
      })
    /** @type {string[]} */
    const fresh = []
    const keep = (/** @type {any} */ answer) => void fresh.push(answer.access_token)
    const nothing = () => {}
    const credentials = form(grant)
    /** @param {(answer: any) => void} answered */
    const clientCredentials = (answered) =>
      Array.from({ length: connections }, () => () => ({ body: credentials, answered }))
    const nextFresh = () => {
      const token = fresh.pop()
      if (token === undefined) throw new Error('there are no more subject tokens: raise the reserve')
      return { body: exchange(token), answered: nothing }
    }

    progress('warming up')
    await loadChains(url, clientCredentials(keep), { seconds: warmSeconds })
    const repeated = fresh.splice(0, connections).map((token) => {
      const body = exchange(token)
      return () => ({ body, answered: nothing })
    })
    await loadChains(url, repeated, { seconds: warmSeconds })
    const cases = [
      { name: 'exchange', chains: repeated },
      { name: 'exchange-distinct', chains: Array.from({ length: connections }, () => nextFresh) },
      { name: baseline, chains: clientCredentials(nothing) },
    ]
    const measured = await interleave(
      cases.map(({ name, chains }) => ({
        name,
        run: async () => {
          if (name === 'exchange-distinct') {
            await loadChains(url, clientCredentials(keep), { seconds: seconds * reserve })
          }
          return withCost(service, () => loadChains(url, chains, { seconds }))
        },
      })),
      { rounds, onRound: (round) => progress(`round ${round} of ${rounds}`) },
    )
    return {
      name: 'exchange',
      ratio_to: baseline,
      settings: { rounds, seconds, connections, pinned: pin, load: 'node:http' },
      cases: loadCases(measured, baseline),
      targets: ratioTargets(ratesOf(measured), [
        ['exchange', baseline, 0.8],
        ['exchange-distinct', baseline, 0.5],
      ]),
    }
  } finally {
    await service.stop()
  }
}
