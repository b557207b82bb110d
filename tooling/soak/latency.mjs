// Times a revocation by one process (a command beside the service) until it comes out of the stream of another.

import { parseArgs } from 'node:util'
import { query, startServer } from '@countersign-tooling/postgres'
import { install, kill, signIn } from './fleet.mjs'

const { values, positionals } = parseArgs({
  options: { postgres: { type: 'boolean' }, 'without-notify': { type: 'boolean' } },
  allowPositionals: true,
})
const count = Number(positionals[0] ?? 100)
const mostP99Ms = values['without-notify'] === true ? 2_500 : 250
const postgres = values.postgres === true ? await startServer({ durable: true }) : undefined
const fleet = await install(postgres === undefined ? {} : { database: postgres.url() })
if (postgres !== undefined && values['without-notify'] === true) {
  // As if no notification ever arrived: only looking every second is left.
  const triggers = await query(
    postgres.url(),
    "SELECT c.oid::regclass::text AS of FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE t.tgname = 'announce'",
  )
  for (const { of } of triggers) await query(postgres.url(), `DROP TRIGGER announce ON ${of}`)
}
const server = await fleet.serve()
const response = await fetch(`${server.url}/revocations/stream`)
const waiting = new Map()
void (async () => {
  let text = ''
  for await (const part of response.body ?? []) {
    text += Buffer.from(part).toString()
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const event = text.slice(0, end)
      text = text.slice(end + 2)
      for (const [sid, seen] of waiting) if (event.includes(sid)) seen()
    }
  }
})().catch(() => {})

const times = []
for (let i = 0; i < count; i += 1) {
  const { access_token } = await signIn(server.url)
  const { sid } = JSON.parse(Buffer.from(access_token.split('.')[1], 'base64url').toString())
  const seen = new Promise((resolve) => waiting.set(sid, resolve))
  await fleet.operator.issuer.sessions.revoke(sid)
  const acknowledgedMs = performance.now()
  await seen
  times.push(performance.now() - acknowledgedMs)
  waiting.delete(sid)
}
times.sort((a, b) => a - b)
const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))].toFixed(0)
await kill(server.child)
await fleet.remove()
await postgres?.end()
console.log(`${count} revocations by another process: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, most ${at(1)} ms`)
process.exit(Number(at(0.99)) <= mostP99Ms ? 0 : 1)
