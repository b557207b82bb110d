import type { Context } from '../context.ts'
import { newId } from '../random.ts'
import { keyEntries, longestUntil, revocationSkewSeconds } from '../revoking.ts'
import type { RevocationFeed } from './feed.ts'

const tidyEveryMs = 2_000
const compareEveryMs = 30_000
const canaryEveryMs = 10_000
const canaryLifeSeconds = 60
const rowsACall = 1_000
/** Entries that one comparison puts in place; what is left is found by the next. */
const mostRepaired = 10_000

/** Ids of synthetic revocations: `canary.` with the milliseconds since the epoch at which each was made, and a random end. */
export const canaryPrefix = 'canary.'

/**
 * What a serving process does for the log beside serving it: drops what has passed, deletes seals whose time is over,
 * compares the log with what has ended by the store's rows, and lets a canary fly. The result stops it.
 */
export function startUpkeep(context: Context, feed: RevocationFeed): () => Promise<void> {
  const jobs = [
    every(context, tidyEveryMs, () => tidy(context)),
    every(context, compareEveryMs, () => compare(context, feed)),
    every(context, canaryEveryMs, () => fly(context)),
  ]
  const stopWatching = watchCanary(context, feed)
  return async () => {
    stopWatching()
    await Promise.all(jobs.map((stop) => stop()))
  }
}

/** Each round after the one before has ended. */
function every({ clock, emit }: Context, ms: number, job: () => Promise<void>): () => Promise<void> {
  let isStopped = false
  let round: Promise<void> = Promise.resolve()
  let cancel = clock.after(ms, tick)
  function tick(): void {
    round = job()
      .catch((error: unknown) => emit({ type: 'fault', part: 'feed', error }))
      .then(() => {
        if (!isStopped) cancel = clock.after(ms, tick)
      })
  }
  return () => {
    isStopped = true
    cancel()
    return round
  }
}

async function tidy({ stores, now }: Context): Promise<void> {
  await stores.sessions.forgetReplays(now())
  while ((await stores.revocations.dropExpired(now(), rowsACall)) === rowsACall);
}

/** Counted before it is repaired, and recorded: somebody revoked past this program, or an older one did. */
export async function compare(context: Context, feed: RevocationFeed): Promise<void> {
  const { stores } = context
  const until = await longestUntil(context)
  const now = context.now()
  const wanted = { now, until, skewSeconds: revocationSkewSeconds, limit: mostRepaired }
  const keys = context.rings.flatMap((ring) => {
    const revoked = ring.status().keys.filter(({ state }) => state === 'revoked')
    return keyEntries(
      ring,
      revoked.map(({ kid }) => kid).filter((kid) => !feed.isKeyRevoked(kid)),
    )
  })
  const missing = [...(await stores.unrevoked(wanted)), ...keys]
  context.emit({ type: 'revocations_compared', missing: missing.length, entries: feed.count })
  if (missing.length === 0) return
  await context.audit({
    action: 'revocation.repair',
    outcome: 'allowed',
    actor: { type: 'system' },
    target: { type: 'feed', id: context.issuer },
    details: { missing: missing.length, entries: feed.count },
  })
  await stores.revocations.append(missing, now)
}

/** A revocation of nothing, whose way to every verifier is timed. */
async function fly({ clock, stores, now }: Context): Promise<void> {
  const id = `${canaryPrefix}${Math.round(clock.now() * 1000)}.${newId()}`
  await stores.revocations.append([{ type: 'jti', id, until: now() + canaryLifeSeconds }], now())
}

function watchCanary({ clock, emit }: Context, feed: RevocationFeed): () => void {
  return feed.onEvents((events) => {
    for (const { change, entry } of events) {
      if (change !== 'add' || entry.type !== 'jti' || !entry.id.startsWith(canaryPrefix)) continue
      const madeMs = Number(entry.id.split('.')[1])
      if (madeMs > 0) emit({ type: 'canary_seen', latencySeconds: Math.max(0, clock.now() - madeMs / 1000) })
    }
  })
}
