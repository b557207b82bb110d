import type { Context } from './context.ts'
import type { RevocationFeed } from './feed/feed.ts'
import type { Running } from './running.ts'
import type { ReadyReport } from './types.ts'

const deadlineMs = 2_000
/** Looking writes to the store, and anybody may ask. */
const keptMs = 500

/** Ready when the store answers within 2 s, every ring can sign, the feed is fresh and nobody is closing. */
export function createReady(
  context: Context,
  running: Running,
  feed: RevocationFeed | undefined,
): () => Promise<ReadyReport> {
  let lookedAtMs = Number.NEGATIVE_INFINITY
  let report: Promise<ReadyReport> | undefined
  return () => {
    if (running.closing) return Promise.resolve({ status: 'unready', checks: { service: 'closing' } })
    const nowMs = context.clock.monotonicMs()
    if (report === undefined || nowMs - lookedAtMs > keptMs) {
      lookedAtMs = nowMs
      report = look(context, feed)
    }
    return report
  }
}

async function look(context: Context, feed: RevocationFeed | undefined): Promise<ReadyReport> {
  const checks = {
    store: (await storeAnswers(context)) ? 'ok' : 'failed',
    keys: canSign(context) ? 'ok' : 'failed',
    ...(feed === undefined ? undefined : { feed: feed.isFresh ? 'ok' : 'failed' }),
  }
  return { status: Object.values(checks).every((state) => state === 'ok') ? 'ready' : 'unready', checks }
}

function storeAnswers(context: Context): Promise<boolean> {
  return new Promise((resolve) => {
    const cancel = context.clock.after(deadlineMs, () => resolve(false))
    const answer = (ok: boolean): void => {
      cancel()
      resolve(ok)
    }
    context.stores.check().then(
      () => answer(true),
      () => answer(false),
    )
  })
}

function canSign(context: Context): boolean {
  try {
    return context.rings.every((ring) => ring.signer.kid.length > 0)
  } catch {
    return false
  }
}
