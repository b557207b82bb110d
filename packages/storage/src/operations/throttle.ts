import type { ThrottleRecord, ThrottleStore } from '@countersign/issuer'
import { first, type OperationOf, send } from '../operation.ts'
import type { Compile } from '../statement.ts'

export interface ThrottleReads {
  readonly readThrottle: OperationOf<ThrottleStore['read']>
}

export function throttleReads(compile: Compile): ThrottleReads {
  const byKey = compile<{ key: string }>()((db, p) => db.selectFrom('throttle').selectAll().where('key', '=', p('key')))
  return {
    *readThrottle(keys) {
      const found = new Map<string, ThrottleRecord>()
      for (const key of new Set(keys)) {
        const row = yield* first(byKey, { key })
        if (row === undefined) continue
        const { failures, window_started_at: windowStartedAt, blocked_until: blockedUntil } = row
        found.set(key, { failures, windowStartedAt, blockedUntil })
      }
      return found
    },
  }
}

export interface ThrottleWrites {
  readonly countFailure: OperationOf<ThrottleStore['fail']>
  readonly clearThrottle: OperationOf<ThrottleStore['clear']>
}

/** 2 to this, in seconds, is longer than any block. */
const mostDoublings = 40

export function throttleWrites(compile: Compile): ThrottleWrites {
  // One statement counts and says the new count: failures of other processes at the same time are never lost.
  const count = compile<{ key: string; now: number }>()((db, p) =>
    db
      .insertInto('throttle')
      .values((eb) => ({
        key: p('key'),
        failures: eb.lit(1),
        window_started_at: p('now'),
        blocked_until: eb.lit(0),
        forget_at: p('now'),
      }))
      .onConflict((conflict) =>
        conflict.column('key').doUpdateSet((eb) => {
          const isCurrent = eb('throttle.forget_at', '>', p('now'))
          const started = eb.ref('throttle.window_started_at')
          return {
            failures: eb
              .case()
              .when(isCurrent)
              .then(eb('throttle.failures', '+', eb.lit(1)))
              .else(eb.lit(1))
              .end(),
            window_started_at: eb.case().when(isCurrent).then(started).else(p('now')).end(),
          }
        }),
      )
      .returning(['failures', 'window_started_at']),
  )
  const block = compile<{ key: string; blockedUntil: number; forgetAt: number }>()((db, p) =>
    db
      .updateTable('throttle')
      .set({ blocked_until: p('blockedUntil'), forget_at: p('forgetAt') })
      .where('key', '=', p('key')),
  )
  const remove = compile<{ key: string }>()((db, p) => db.deleteFrom('throttle').where('key', '=', p('key')))
  return {
    *countFailure(keys, { allowed, windowSeconds, baseSeconds, maxSeconds }, now) {
      // In one order everywhere: transactions that lock the same rows in different orders would wait for each other.
      for (const key of [...new Set(keys)].sort()) {
        const row = yield* first(count, { key, now })
        if (row === undefined) continue
        const over = row.failures - allowed
        if (over <= 0) {
          yield* send(block, { key, blockedUntil: 0, forgetAt: row.window_started_at + windowSeconds })
          continue
        }
        const blockedUntil = now + Math.min(maxSeconds, baseSeconds * 2 ** Math.min(over - 1, mostDoublings))
        yield* send(block, { key, blockedUntil, forgetAt: blockedUntil + maxSeconds })
      }
    },
    *clearThrottle(key) {
      yield* send(remove, { key })
    },
  }
}
