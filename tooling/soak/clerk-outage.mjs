// Clerk is down for ten minutes under pages with live sessions: while a token lives calls go on, after that every page is
// degraded with its last results on the screen and calls fail closed; nobody is signed out, nothing is sent late, and
// each page is back by itself within 5 s.

import assert from 'node:assert/strict'
import { parseArgs } from 'node:util'
import { startPages, until } from '@countersign-tooling/bench/harness/clerk-pages.mjs'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    pages: { type: 'string', default: '20' },
    outage: { type: 'string', default: 'drop' },
  },
})
const seconds = Number(values.seconds)
const outage = values.outage === 'hang' ? { slowMs: 3_600_000 } : values.outage === '503' ? 'unavailable' : 'drop'
const mostRecoveryMs = 5_000
const longMs = 60_000
const pause = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms))

const world = await startPages({ pages: Number(values.pages) })
const { clerk, pages } = world
await until(() => pages.every(({ kept }) => kept.getSnapshot().state === 'signed-in'), longMs, 'not signed in')
await world.add('before')
await until(() => pages.every(({ shown }) => shown?.length === 1), longMs, 'nothing shown')
// Tokens of different ages.
await pause(20_000)

const asked = clerk.requests.length
clerk.setOutage(outage)
const from = performance.now()
const counts = { sent: 0, refused: 0, degradedAfterS: /** @type {number[]} */ ([]) }
const degraded = new Set()
const accepted = new Set(['before'])
for (let turn = 0; performance.now() - from < seconds * 1_000; turn += 1) {
  const page = pages[turn % pages.length]
  assert.ok(page)
  const name = `${page.name} ${turn}`
  const { state, expiresAt = 0 } = page.kept.getSnapshot()
  const leftS = expiresAt - Date.now() / 1_000
  const [call] = await Promise.allSettled([world.call(page, name)])
  // At a token's very end either is right.
  if (leftS > 3) assert.deepEqual([state, call.status], ['signed-in', 'fulfilled'], `${leftS} s left`)
  if (leftS < -3) assert.deepEqual([state, call.reason?.code], ['degraded', 'no_live_token'], `${-leftS} s over`)
  if (call.status === 'fulfilled') {
    accepted.add(name)
    counts.sent += 1
  } else counts.refused += 1
  for (const { name: who, kept, session, shown } of pages) {
    const now = kept.getSnapshot()
    assert.ok(now.state === 'signed-in' || now.state === 'degraded', `${who} is ${now.state}`)
    assert.equal(now.session, session)
    assert.ok(shown !== undefined && shown.length > 0, `${who} shows nothing`)
    if (now.state === 'degraded' && !degraded.has(who)) {
      degraded.add(who)
      counts.degradedAfterS.push(Math.round((performance.now() - from) / 1_000))
    }
  }
  await pause(250)
}
assert.equal(degraded.size, pages.length, 'not every page was degraded')
await world.add('meanwhile')
accepted.add('meanwhile')
const perSecond = (clerk.requests.length - asked) / seconds / pages.length

clerk.setOutage(undefined)
const backMs = performance.now()
/** @type {number[]} */
const recoveredMs = []
const waiting = new Set(pages)
await until(
  () => {
    for (const page of waiting) {
      if (page.kept.getSnapshot().state !== 'signed-in' || page.shown?.length !== accepted.size) continue
      waiting.delete(page)
      recoveredMs.push(performance.now() - backMs)
    }
    return waiting.size === 0
  },
  longMs,
  'not every page is back',
)
const most = Math.round(Math.max(...recoveredMs))
const middle = Math.round(recoveredMs.toSorted((a, b) => a - b)[recoveredMs.length >> 1] ?? 0)
// Nothing that was refused is sent now.
await pause(2_000)
assert.deepEqual(new Set(await world.names()), accepted)
for (const { session } of pages) assert.equal(clerk.world.sessions.get(session)?.status, 'active')
for (const page of pages) await world.call(page, `${page.name} after`)
await world.end()

const [first, last] = [Math.min(...counts.degradedAfterS), Math.max(...counts.degradedAfterS)]
console.log(
  [
    `${pages.length} pages, Clerk down (${values.outage}) for ${seconds} s: nobody was signed out`,
    `calls: ${counts.sent} sent while tokens lived, ${counts.refused} refused after, none of those sent later`,
    `degraded after ${first} to ${last} s; ${perSecond.toFixed(2)} requests to Clerk a second and page`,
    `back: middle ${middle} ms, most ${most} ms`,
  ].join('\n'),
)
process.exit(most <= mostRecoveryMs ? 0 : 1)
