// Rotations of refresh tokens beside client credentials, on one token service and from the same load.

import { loadChains } from './harness/chains.mjs'
import { startPeer } from './harness/child.mjs'
import { loadCases, ratesOf, withCost } from './harness/loads.mjs'
import { interleave } from './harness/rounds.mjs'
import { ratioTargets } from './harness/targets.mjs'

const sessions = 64
const baseline = 'client-credentials'
const leastRatio = 0.7
const warmSeconds = 2

/** @param {any} told @returns {Promise<string>} the session's first refresh token */
async function signIn({ url, signIn: body }) {
  const response = await fetch(`${url}/auth/sign-in`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const answer = /** @type {any} */ (await response.json())
  if (response.status !== 200) throw new Error(`sign-in: ${response.status}, ${JSON.stringify(answer)}`)
  return answer.refresh_token
}

/** @param {string} token @param {string} clientId */
function refreshing(token, clientId) {
  let current = token
  return () => ({
    body: new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: current,
      client_id: clientId,
    }).toString(),
    answered: (/** @type {any} */ answer) => {
      if (answer.refresh_token === current) throw new Error('a refresh token was not rotated')
      current = answer.refresh_token
    },
  })
}

/** @param {{ rounds: number, seconds: number, pin: boolean, progress: (text: string) => void }} options */
export async function run({ rounds, seconds, pin, progress }) {
  const service = await startPeer('token-service.mjs', pin ? { core: 0 } : {})
  try {
    const { told } = service
    progress(`signing in ${sessions} times`)
    const refreshes = []
    for (let number = 0; number < sessions; number += 1) refreshes.push(refreshing(await signIn(told), told.webId))
    const grant = { grant_type: 'client_credentials', scope: 'agents:read', audience: 'agent-api', ...told.machine }
    const body = new URLSearchParams(grant).toString()
    const clientCredentials = Array.from({ length: sessions }, () => () => ({ body, answered: () => {} }))

    const cases = [
      { name: 'countersign-sqlite', chains: refreshes },
      { name: baseline, chains: clientCredentials },
    ]
    const url = `${told.url}/oauth/token`
    for (const { chains } of cases) await loadChains(url, chains, { seconds: warmSeconds })
    const measured = await interleave(
      cases.map(({ name, chains }) => ({
        name,
        run: () => withCost(service, () => loadChains(url, chains, { seconds })),
      })),
      { rounds, onRound: (round) => progress(`round ${round} of ${rounds}`) },
    )
    return {
      name: 'refresh',
      ratio_to: baseline,
      settings: { rounds, seconds, sessions, pinned: pin, load: 'node:http' },
      cases: loadCases(measured, baseline),
      targets: ratioTargets(ratesOf(measured), [['countersign-sqlite', baseline, leastRatio]]),
    }
  } finally {
    await service.stop()
  }
}
