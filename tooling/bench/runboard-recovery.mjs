// 20 pages with live queries go through an outage of Clerk that outlives their tokens: from the moment that Clerk is back
// until a page is signed in again and shows what was changed meanwhile, without a reload. Beside them pages that fetch
// tokens as Convex's own provider for Clerk does.

import { startPages, until } from './harness/clerk-pages.mjs'
import { median } from './harness/rounds.mjs'
import { valueCase } from './harness/targets.mjs'

const count = Number(process.env.BENCH_PAGES ?? 20)
const tokenLifeSeconds = 5
/** Connections cut, 503 to everything, no answer at all. */
const outages = /** @type {const} */ (['drop', 'unavailable', { slowMs: 120_000 }])
const longMs = 60_000

/** @param {number} round */
async function measure(round) {
  const outage = outages[round % outages.length]
  const world = await startPages({ pages: count, plain: count, tokenLifeSeconds })
  try {
    const { clerk, pages, plain } = world
    await world.add('before')
    const all = [...pages, ...plain]
    await until(() => all.every(({ shown }) => shown?.length === 1), longMs, 'not every page shows')
    clerk.setOutage(outage)
    const states = () => pages.map(({ kept }) => kept.getSnapshot().state)
    await until(() => states().every((state) => state === 'degraded'), longMs, 'not every page is degraded')
    // Convex tells of the end of a token when it has something to tell.
    await world.add('meanwhile')
    const lost = pages.filter(({ shown }) => shown?.length !== 1).length
    const calls = await Promise.allSettled(pages.map((page) => world.call(page, 'refused')))
    const notRefused = calls.filter(({ status }) => status === 'fulfilled').length
    // At no particular moment of the pace at which they ask.
    await new Promise((resolve) => setTimeout(resolve, 4_000 + 3_500 * Math.random()))

    clerk.setOutage(undefined)
    const from = performance.now()
    /** @type {number[]} */
    const recoveredMs = []
    const waiting = new Set(pages)
    await until(
      () => {
        for (const page of waiting) {
          if (page.kept.getSnapshot().state !== 'signed-in' || page.shown?.length !== 2) continue
          waiting.delete(page)
          recoveredMs.push(performance.now() - from)
        }
        return waiting.size === 0
      },
      longMs,
      'not every page is back',
    )
    const sessions = pages.filter(({ session }) => clerk.world.sessions.get(session)?.status !== 'active').length
    const late = (await world.names()).filter((name) => name === 'refused').length
    return {
      median: median(recoveredMs),
      most: Math.max(...recoveredMs),
      broken: lost + notRefused + sessions + late,
      plain: plain.filter(({ shown }) => shown?.length === 2).length,
    }
  } finally {
    await world.end()
  }
}

/** @param {{ rounds: number, progress: (text: string) => void }} options */
export async function run({ rounds, progress }) {
  const measured = []
  for (let round = 0; round < rounds; round += 1) {
    const one = await measure(round)
    measured.push(one)
    progress(`round ${round + 1} of ${rounds}: ${Math.round(one.median)} ms, at most ${Math.round(one.most)} ms`)
  }
  const most = Math.max(...measured.map((each) => each.most))
  const broken = Math.max(...measured.map((each) => each.broken))
  return {
    name: 'runboard-recovery',
    settings: { rounds, pages: count, token_life_s: tokenLifeSeconds, outages: 'drop, 503, no answer' },
    cases: [
      valueCase(
        'recovery-median',
        measured.map((each) => each.median),
        'ms',
      ),
      { name: 'recovery-most', value: most, unit: 'ms' },
      { name: 'promises-broken', value: broken, unit: '' },
      { name: 'plain-recovered', value: Math.max(...measured.map((each) => each.plain)), unit: `of ${count}` },
    ],
    targets: [
      { what: 'recovery without a reload, most in ms', most: 5_000, got: most, met: most <= 5_000 },
      {
        what: 'sessions cleared, results lost, calls sent without a token, then or later',
        most: 0,
        got: broken,
        met: broken === 0,
      },
    ],
  }
}
