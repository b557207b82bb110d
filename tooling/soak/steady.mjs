// Two instances over one PostgreSQL behind a balancer, requests at a steady rate, for ten minutes: an instance is replaced
// every 45 s, one is killed, and the database restarts once, in a crash. What was acknowledged must be there, what was
// revoked must be refused, and hardly anybody may notice.

import { once } from 'node:events'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createGuard } from '@countersign/guard'
import { openPostgres } from '@countersign/storage/postgres'
import { startServer } from '@countersign-tooling/postgres'
import { startBalancer } from './balancer.mjs'
import { install, kill, post, refresh, signIn, stop } from './fleet.mjs'

const { values } = parseArgs({ options: { seconds: { type: 'string' }, rate: { type: 'string' } } })
const seconds = Number(values.seconds ?? 600)
const rate = Number(values.rate ?? 40)
/** How long whoever asks tries again: what `createTokenSource` does by default. */
const patienceMs = 10_000
/** Past this no verifier may accept what was revoked. */
const revocationBoundMs = 60_000

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

const postgres = await startServer({ durable: true })
const ports = [await freePort(), await freePort()]
const balancer = await startBalancer(ports)
const issuer = balancer.url
const fleet = await install({ issuer, database: postgres.url() })
const { client, secret } = await fleet.operator.issuer.clients.add({
  name: 'etl',
  grants: ['client_credentials'],
  audiences: ['agent-api'],
})
const services = await Promise.all(ports.map((port) => fleet.serve(port)))
const guards = Array.from({ length: 4 }, () => createGuard({ issuer, audience: 'agent-api' }))
await Promise.all(guards.map((guard) => guard.whenReady()))

const counts = { issued: 0, issueFailed: 0, verified: 0, verifyFailed: 0, revoked: 0, accepted: 0, retried: 0 }
/** Acknowledged: ids of tokens, and of sessions that were revoked. */
const acknowledged = { tokens: [], sessions: [] }
const latencies = []
const faults = new Map()
const note = (what) => faults.set(what, (faults.get(what) ?? 0) + 1)
const claimsOf = (token) => JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

/** Until it is answered with 200, as long as patience lasts. */
async function patiently(what, work) {
  const until = performance.now() + patienceMs
  for (;;) {
    const answer = await work().catch((error) => ({
      status: 0,
      body: { error: String(error.cause?.code ?? error.message) },
    }))
    if (answer.status === 200) return answer.body
    const again = answer.status === 0 || answer.status === 429 || answer.status >= 500
    if (!again || performance.now() > until) {
      note(`${what}: ${answer.status} ${answer.body?.error}`)
      return undefined
    }
    counts.retried += 1
    await sleep(100 + Math.random() * 300)
  }
}

async function verify(token, guard) {
  const decision = await guard.admit({ token, scopes: ['agents:read'] })
  counts[decision.admitted ? 'verified' : 'verifyFailed'] += 1
  if (!decision.admitted) note(`verification: ${decision.code}`)
}

function issuedBy(body) {
  counts[body === undefined ? 'issueFailed' : 'issued'] += 1
  if (body !== undefined) acknowledged.tokens.push(claimsOf(body.access_token).jti)
  return body
}

async function machine() {
  const form = {
    grant_type: 'client_credentials',
    audience: 'agent-api',
    client_id: client.id,
    client_secret: secret ?? '',
  }
  const body = issuedBy(await patiently('client credentials', () => post(`${issuer}/oauth/token`, form)))
  if (body !== undefined) for (const guard of guards) await verify(body.access_token, guard)
}

/** A session: signed in, refreshed a few times, then revoked, and refused everywhere from then on. */
async function person() {
  const first = issuedBy(
    await patiently('sign-in', async () => {
      const { status, ...body } = await signIn(issuer)
      return { status, body }
    }),
  )
  if (first === undefined) return
  let { access_token, refresh_token } = first
  for (let turn = 0; turn < 3; turn += 1) {
    await sleep(500)
    const body = issuedBy(await patiently('refresh', () => refresh(issuer, refresh_token)))
    if (body === undefined) return
    ;({ access_token, refresh_token } = body)
    await verify(access_token, guards[turn % guards.length])
  }
  const done = await patiently('revoke', async () => {
    const response = await fetch(`${issuer}/oauth/revoke`, {
      method: 'POST',
      body: new URLSearchParams({ token: refresh_token, client_id: 'web' }),
    })
    await response.arrayBuffer()
    return { status: response.status, body: {} }
  })
  if (done === undefined) return
  counts.revoked += 1
  acknowledged.sessions.push(claimsOf(access_token).sid)
  const startMs = performance.now()
  await Promise.all(guards.map((guard) => refused(access_token, guard, startMs)))
}

async function refused(token, guard, startMs) {
  while (performance.now() - startMs < revocationBoundMs) {
    if (!(await guard.admit({ token })).admitted) {
      latencies.push(performance.now() - startMs)
      return
    }
    await sleep(5)
  }
  counts.accepted += 1
}

const startMs = performance.now()
const passed = () => (performance.now() - startMs) / 1000
const events = []

async function trouble() {
  const step = Math.min(45, seconds / 6)
  for (let turn = 0; passed() + step < seconds - 5; turn += 1) {
    await sleep(step * 1000)
    if (turn === 2) {
      events.push(`${passed().toFixed(0)} s: the database crashes and starts again`)
      await postgres.stop('immediate')
      await postgres.start()
      continue
    }
    const at = turn % 2
    const killed = turn === 3
    events.push(`${passed().toFixed(0)} s: instance ${at + 1} is ${killed ? 'killed' : 'replaced'}`)
    await (killed ? kill(services[at].child) : stop(services[at].child))
    services[at] = await fleet.serve(ports[at])
  }
}

const troubles = trouble()
const running = new Set()
const begin = (work) => {
  const run = work().catch((error) => note(`fault: ${error.message}`))
  running.add(run)
  run.finally(() => running.delete(run))
}
let shown = 0
while (passed() < seconds) {
  begin(Math.random() < 0.05 ? person : machine)
  if (passed() - shown >= 10) {
    shown = passed()
    console.error(`${shown.toFixed(0)} of ${seconds} s: ${JSON.stringify(counts)}`)
  }
  await sleep(1000 / rate)
}
await Promise.all([...running, troubles])

for (const { child } of services) await stop(child)
const database = await openPostgres(postgres.url())
const { stores } = database
let lost = 0
for (const sid of acknowledged.sessions) if ((await stores.issuer.sessions.byId(sid))?.endedAt == null) lost += 1
for (const jti of acknowledged.tokens) if ((await stores.issuer.issued.status(jti)) === undefined) lost += 1
await database.close()
for (const guard of guards) await guard.close()
await balancer.close()
await fleet.remove()
await postgres.end()

latencies.sort((a, b) => a - b)
const at = (share) =>
  Math.round(latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? Number.NaN)
const share = (good, bad) => (100 * good) / Math.max(1, good + bad)
const issuedShare = share(counts.issued, counts.issueFailed)
const verifiedShare = share(counts.verified, counts.verifyFailed)
for (const event of events) console.log(event)
for (const [what, times] of faults) console.log(`${times} x ${what}`)
console.log(
  `${counts.issued} issued (${issuedShare.toFixed(3)} %), ${counts.verified} verified (${verifiedShare.toFixed(3)} %), ${counts.retried} tries again`,
)
console.log(
  `${counts.revoked} sessions revoked; refused by each of ${guards.length} guards after: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms`,
)
console.log(
  `${acknowledged.tokens.length + acknowledged.sessions.length} acknowledged writes, ${lost} lost; ${counts.accepted} accepted after ${revocationBoundMs / 1000} s`,
)
process.exit(issuedShare >= 99.9 && verifiedShare >= 99.9 && lost === 0 && counts.accepted === 0 ? 0 : 1)
