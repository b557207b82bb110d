// 50 refreshes of one token at once, half of them on each of two processes, many rounds: every round ends with one
// successor, and the session is alive after the last.

import { parseArgs } from 'node:util'
import { startServer } from '@countersign-tooling/postgres'
import { install, kill, refresh, signIn } from './fleet.mjs'

const { values, positionals } = parseArgs({ options: { postgres: { type: 'boolean' } }, allowPositionals: true })
const rounds = Number(positionals[0] ?? 100)
const postgres = values.postgres === true ? await startServer({ durable: true }) : undefined
const fleet = await install(postgres === undefined ? {} : { database: postgres.url() })
const servers = [await fleet.serve(), await fleet.serve()]
let token = (await signIn(servers[0].url)).refresh_token
let slowestMs = 0
const broken = []
for (let round = 1; round <= rounds; round += 1) {
  const startMs = performance.now()
  const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => refresh(servers[i % 2].url, token)))
  slowestMs = Math.max(slowestMs, performance.now() - startMs)
  const statuses = new Set(answers.map(({ status }) => status))
  const successors = new Set(answers.map(({ body }) => body.refresh_token))
  if (statuses.size !== 1 || !statuses.has(200) || successors.size !== 1) {
    broken.push(`round ${round}: statuses ${[...statuses]}, ${successors.size} successors`)
    break
  }
  token = [...successors][0]
}
const sessions = await fleet.operator.issuer.sessions.list('ada')
if (sessions.length !== 1 || sessions[0]?.endedAt !== null) broken.push('the session did not survive')
for (const { child } of servers) await kill(child)
await fleet.remove()
await postgres?.end()
for (const fault of broken) console.error(fault)
console.log(`${rounds} rounds of 50 refreshes on 2 processes; slowest round ${slowestMs.toFixed(0)} ms`)
process.exit(broken.length === 0 ? 0 : 1)
