// A million bad tokens, each another one, before the guard and again over HTTP: memory must not grow with them, nothing
// may break, and the issuer must not be asked more often than its limits allow.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { badTokensInLua } from './harness/bad-tokens.mjs'
import { startPeer } from './harness/child.mjs'
import { makeKey } from './harness/issuer.mjs'
import { median } from './harness/rounds.mjs'
import { flood, requireWrk } from './harness/wrk.mjs'

const total = 1_000_000
/** Memory is looked at after each step; the first and the last 100,000 are five steps each. */
const step = 20_000
const steps = total / step
const compared = 100_000 / step
const mebibyte = 2 ** 20
const connections = 64
/** V8 widens the space for young objects while it runs, by up to 100 MiB: at one size, what grows is what is kept. */
const nodeFlags = ['--min-semi-space-size=16', '--max-semi-space-size=16']

/** Publishes the key and counts who asks for it. @param {import('./harness/issuer.mjs').Key} key */
async function startJwks(key) {
  let fetches = 0
  const server = createServer((_, response) => {
    fetches += 1
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ keys: [key.jwk] }))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)))
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  return {
    url: `http://127.0.0.1:${port}/jwks.json`,
    fetches: () => fetches,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

/** @param {Record<string, number>} sum @param {Record<string, number>} more */
function add(sum, more) {
  for (const [name, count] of Object.entries(more)) sum[name] = (sum[name] ?? 0) + count
}

/**
 * @param {'guard' | 'http'} way
 * @param {{ key: import('./harness/issuer.mjs').Key, keyFile: string, pin: boolean, progress: (text: string) => void }} options
 */
async function runWay(way, { key, keyFile, pin, progress }) {
  const jwks = await startJwks(key)
  const peer = await startPeer('bad-tokens.mjs', { ...(pin ? { core: 0 } : {}), args: [jwks.url, keyFile], nodeFlags })
  const ask = async (/** @type {string} */ path) => (await fetch(`${peer.told.controls}${path}`)).json()
  const lua = badTokensInLua(key)
  /** @type {Record<string, number>} */
  const answers = {}
  const rss = []
  const heap = []
  const fromMs = performance.now()
  try {
    for (let index = 0; index < steps; index += 1) {
      // A load generator's connections are ahead of the answers that it counts.
      const from = index * (step + connections)
      const more =
        way === 'guard'
          ? await ask(`/admit?from=${from}&count=${step}`)
          : await flood(peer.told, { lua, from, count: step, connections, ...(pin ? { core: 1 } : {}) })
      add(answers, /** @type {Record<string, number>} */ (more))
      const memory = /** @type {{ rss: number, heapUsed: number }} */ (await ask('/memory'))
      rss.push(memory.rss)
      heap.push(memory.heapUsed)
      if ((index + 1) % compared === 0) progress(`${way}: ${((index + 1) * step).toLocaleString('en')} tokens`)
    }
    const seconds = (performance.now() - fromMs) / 1000
    return { answers, rss, heap, seconds, fetches: jwks.fetches() }
  } finally {
    await peer.stop()
    jwks.close()
  }
}

/** @param {{ pin: boolean, progress: (text: string) => void }} options */
export async function run({ pin, progress }) {
  await requireWrk()
  const folder = mkdtempSync(join(tmpdir(), 'bad-tokens-'))
  const key = makeKey()
  const keyFile = join(folder, 'key.pem')
  writeFileSync(keyFile, key.privatePem, { mode: 0o600 })
  /** @type {import('./harness/report.mjs').Case[]} */
  const cases = []
  /** @type {import('./harness/report.mjs').Target[]} */
  const targets = []
  try {
    for (const way of /** @type {const} */ (['guard', 'http'])) {
      const { answers, rss, heap, seconds, fetches } = await runWay(way, { key, keyFile, pin, progress })
      const first = median(rss.slice(0, compared))
      const last = median(rss.slice(-compared))
      const refused = Object.values(answers).reduce((sum, count) => sum + count, 0)
      // The guard says a code, HTTP a status; everything but a clear refusal counts against it.
      const wrong = Object.entries(answers)
        .filter(([name]) => (way === 'http' ? name !== '401' : ['admitted', 'keys_unavailable'].includes(name)))
        .reduce((sum, [, count]) => sum + count, 0)
      const fetchBound = 2 + seconds / 30
      cases.push(
        { name: `${way}-tokens`, value: refused, unit: 'tokens', more: { seconds, ...answers } },
        { name: `${way}-rss-first-100k`, value: first / mebibyte, unit: 'MiB' },
        { name: `${way}-rss-last-100k`, value: last / mebibyte, unit: 'MiB' },
        { name: `${way}-heap-first-100k`, value: median(heap.slice(0, compared)) / mebibyte, unit: 'MiB' },
        { name: `${way}-heap-last-100k`, value: median(heap.slice(-compared)) / mebibyte, unit: 'MiB' },
        { name: `${way}-jwks-fetches`, value: fetches, unit: 'fetches' },
      )
      targets.push(
        { what: `${way}: tokens`, least: total, got: refused, met: refused >= total },
        { what: `${way}: answers other than a refusal`, most: 0, got: wrong, met: wrong === 0 },
        {
          what: `${way}: RSS of the last 100 k ÷ first 100 k`,
          least: 0.95,
          most: 1.05,
          got: last / first,
          met: Math.abs(last / first - 1) <= 0.05,
        },
        {
          what: `${way}: JWKS fetches`,
          most: Number(fetchBound.toFixed(1)),
          got: fetches,
          met: fetches <= fetchBound,
        },
      )
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
  return {
    name: 'bad-tokens',
    settings: { tokens: total, connections, pinned: pin, load: 'wrk', node: nodeFlags.join(' ') },
    cases,
    targets,
  }
}
