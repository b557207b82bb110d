// usage: self-time.mjs token|request
// Where our own part of the time goes. `token`: what the verification of a token that was never seen takes beside its
// signature, by function (the engine says yes to every signature). `request`: what the Express middleware takes for a
// token that is known, with ten tokens in turns and with a thousand.

import { once } from 'node:events'
import { createServer, IncomingMessage } from 'node:http'
import { Session } from 'node:inspector/promises'
import { Socket } from 'node:net'
import { expressAuth } from '@countersign/express'
import { createGuard } from '@countersign/guard'
import { createVerifier, staticKeys } from '@countersign/tokens'
import { audience, issuer, makeKey, makeTokens } from './harness/issuer.mjs'
import { quartiles } from './harness/rounds.mjs'

const key = makeKey()
/** Functions that take less are left out. */
const leastShare = 0.01

async function ofToken() {
  const tokens = makeTokens(key, 20_000)
  const yes = { verifySync: () => true, verify: async () => true }
  const ed25519 = { name: 'yes', importKey: () => yes }
  const keys = staticKeys({ keys: [key.jwk] })
  const { verifySync } = createVerifier({ issuer, audience, keys, ed25519, cache: false })
  const round = () => {
    for (const token of tokens) verifySync(token)
  }
  for (let warm = 0; warm < 20; warm += 1) round()
  const session = new Session()
  session.connect()
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: 200 })
  await session.post('Profiler.start')
  /** @type {number[]} */
  const times = []
  for (let done = 0; done < 100; done += 1) {
    const from = process.hrtime.bigint()
    round()
    times.push(Number(process.hrtime.bigint() - from))
  }
  const { profile } = await session.post('Profiler.stop')
  session.disconnect()
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame.functionName || '(builtin)']))
  /** @type {Map<string, number>} */
  const spent = new Map()
  profile.samples?.forEach((id, index) => {
    const name = names.get(id) ?? ''
    spent.set(name, (spent.get(name) ?? 0) + (profile.timeDeltas?.[index] ?? 0))
  })
  const all = [...spent.values()].reduce((sum, time) => sum + time, 0)
  for (const [name, time] of [...spent].sort(([, one], [, other]) => other - one)) {
    if (time / all >= leastShare) console.log(`${name.padEnd(24)}${((100 * time) / all).toFixed(1).padStart(6)} %`)
  }
  // The fastest, as whatever else the machine does only adds to it.
  console.log(`${'together'.padEnd(24)}${(Math.min(...times) / tokens.length).toFixed(0).padStart(6)} ns`)
}

/** A request as node:http makes it, its Authorization header a new string. @param {Buffer} authorization */
function requestWith(authorization) {
  const request = new IncomingMessage(new Socket())
  const value = authorization.toString('latin1')
  return Object.assign(request, {
    url: '/agents',
    rawHeaders: ['Authorization', value],
    headers: { authorization: value },
  })
}

/** @param {number} count @param {string} jwksUrl */
async function ofRequest(count, jwksUrl) {
  const middleware = expressAuth(createGuard({ issuer, audience, jwksUrl })).requireScope('agents:read')
  const values = makeTokens(key, count).map((token) => Buffer.from(`Bearer ${token}`))
  const response = /** @type {any} */ ({
    status: (/** @type {number} */ status) => Promise.reject(new Error(`${status}`)),
  })
  let passed = 0
  const next = () => {
    passed += 1
  }
  /** @type {number[]} */
  const times = []
  const batch = 50
  for (let round = 0; round < 4_000; round += 1) {
    const requests = Array.from({ length: batch }, (_, index) =>
      requestWith(/** @type {Buffer} */ (values[(round * batch + index) % count])),
    )
    const from = process.hrtime.bigint()
    for (const request of requests) {
      const waits = middleware(/** @type {any} */ (request), response, next)
      if (waits !== undefined) await waits
    }
    if (round >= 1_000) times.push(Number(process.hrtime.bigint() - from) / batch)
  }
  if (passed !== 4_000 * batch) throw new Error('not every request was let through')
  const [fast, slow] = quartiles(times)
  console.log(`${`${count} tokens`.padEnd(24)}${fast.toFixed(0).padStart(6)} to ${slow.toFixed(0)} ns (quartiles)`)
}

if (process.argv[2] === 'token') await ofToken()
else if (process.argv[2] === 'request') {
  const server = createServer((_, response) => {
    response.setHeader('Content-Type', 'application/json').end(JSON.stringify({ keys: [key.jwk] }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  for (const count of [10, 1_000]) await ofRequest(count, `http://127.0.0.1:${port}/jwks.json`)
  // The guard keeps reading its keys: nothing here waits for that.
  process.exit(0)
} else {
  console.error('usage: self-time.mjs token|request')
  process.exit(2)
}
