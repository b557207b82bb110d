// A guarded tool call over HTTP beside an unguarded one, with the servers of both SDK generations, and the list of 1,000
// tools of which a token may use half. One core, load from the other: 1,000 tokens of one caller in turns.

import { startPeer } from './harness/child.mjs'
import { costs, loadCases, ratesOf, withCost } from './harness/loads.mjs'
import { interleave } from './harness/rounds.mjs'
import { ratioTargets } from './harness/targets.mjs'
import { load, requireWrk } from './harness/wrk.mjs'

const tools = 20
const manyTools = 1_000
const connections = 16
const warmSeconds = 2
/** A list is large: so many at once would measure the load. */
const listConnections = 8
const mostListCpuUs = 2_000

/** @type {readonly (readonly [name: string, what: 'call' | 'list', args: readonly string[]])[]} */
const cases = [
  ['v2-bare', 'call', ['v2', 'bare', String(tools)]],
  ['v2-countersign', 'call', ['v2', 'countersign', String(tools)]],
  ['v1-bare', 'call', ['v1', 'bare', String(tools)]],
  ['v1-countersign', 'call', ['v1', 'countersign', String(tools)]],
  ['list-v2-bare', 'list', ['v2', 'bare', String(manyTools)]],
  ['list-v2-countersign', 'list', ['v2', 'countersign', String(manyTools)]],
  ['list-v1-bare', 'list', ['v1', 'bare', String(manyTools)]],
  ['list-v1-countersign', 'list', ['v1', 'countersign', String(manyTools)]],
]

/** A benchmark of refusals, or of a guard that lets everybody in, would be fast too. @param {string} name @param {any} told */
async function checkAnswers(name, told) {
  const { call, list } = told
  const send = async (/** @type {any} */ message, /** @type {string} */ token) => {
    const headers = { ...message.headers, Authorization: `Bearer ${token}` }
    const response = await fetch(message.url, { method: 'POST', headers, body: message.body })
    return { status: response.status, text: await response.text() }
  }
  const good = await send(call, call.bearers[0])
  const forged = await send(call, `${call.bearers[0].slice(0, -10)}AAAAAAAAAA`)
  const isBare = name.endsWith('bare')
  if (good.status !== 200 || !good.text.includes('"done"') || (forged.status === 200) !== isBare) {
    throw new Error(`${name}: a good token is answered ${good.status}, a forged one ${forged.status}`)
  }
  const listed = (await send(list, call.bearers[0])).text.match(/"name":"tool_/g)?.length ?? 0
  const all = name.startsWith('list') ? manyTools : tools
  if (listed !== (isBare ? all : all / 2)) throw new Error(`${name}: ${listed} tools of ${all} are listed`)
}

/** @param {{ rounds: number, seconds: number, pin: boolean, progress: (text: string) => void }} options */
export async function run({ rounds, seconds, pin, progress }) {
  await requireWrk()
  const serverCore = pin ? { core: 0 } : {}
  const loadCore = pin ? { core: 1 } : {}
  const started = []
  try {
    for (const [name, what, args] of cases) {
      progress(`starting ${name}`)
      const peer = { ...(await startPeer('mcp.mjs', { ...serverCore, args })), name, what }
      started.push(peer)
      await checkAnswers(name, peer.told)
      await load(peer.told[what], { seconds: warmSeconds, connections: listConnections, ...loadCore })
    }
    const measured = await interleave(
      started.map((peer) => ({
        name: peer.name,
        run: async () => {
          const many = peer.what === 'list' ? listConnections : connections
          return withCost(peer, () => load(peer.told[peer.what], { seconds, connections: many, ...loadCore }))
        },
      })),
      { rounds, onRound: (round) => progress(`round ${round} of ${rounds}`) },
    )
    const compared = ['v2', 'v1', 'list-v2', 'list-v1'].flatMap((sdk) => {
      const pair = [`${sdk}-bare`, `${sdk}-countersign`]
      return loadCases(new Map(pair.map((name) => [name, measured.get(name) ?? []])), `${sdk}-bare`)
    })
    return {
      name: 'mcp-guard',
      ratio_to: 'bare of the same SDK',
      settings: { rounds, seconds, connections, listConnections, pinned: pin, load: 'wrk', tools, manyTools },
      cases: compared,
      targets: [
        ...ratioTargets(ratesOf(measured), [
          ['v2-countersign', 'v2-bare', 0.9],
          ['v1-countersign', 'v1-bare', 0.9],
        ]),
        ...['list-v2-countersign', 'list-v1-countersign'].map((name) => {
          const got = costs(measured.get(name) ?? []).cpu_us
          const what = `${name}: CPU of a filtered list over 1,000 tools, µs`
          return { what, most: mostListCpuUs, got, met: got <= mostListCpuUs }
        }),
      ],
    }
  } finally {
    for (const peer of started) await peer.stop()
  }
}
