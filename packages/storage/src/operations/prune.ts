import type { IssuerStores } from '@countersign/issuer'
import { type OperationOf, run } from '../operation.ts'
import type { Compile, Statement } from '../statement.ts'

interface Bounds {
  readonly before: number
  readonly limit: number
}

export interface PruneWrites {
  readonly prune: OperationOf<IssuerStores['prune']>
}

export function pruneWrites(compile: Compile): PruneWrites {
  const bounded = compile<Bounds>()
  const steps: readonly Statement<Bounds, unknown>[] = [
    bounded((db, p) =>
      db
        .deleteFrom('issued_tokens')
        .where('jti', 'in', (eb) =>
          eb
            .selectFrom('issued_tokens')
            .select('jti')
            .where('expires_at', '<', p('before'))
            .orderBy('expires_at')
            .limit(p('limit')),
        ),
    ),
    bounded((db, p) =>
      db
        .deleteFrom('refresh_tokens')
        .where('hash', 'in', (eb) =>
          eb
            .selectFrom('refresh_tokens')
            .select('hash')
            .where('expires_at', '<', p('before'))
            .orderBy('expires_at')
            .limit(p('limit')),
        ),
    ),
    bounded((db, p) =>
      db
        .deleteFrom('refresh_tokens')
        .where('hash', 'in', (eb) =>
          eb
            .selectFrom('sessions as s')
            .innerJoin('refresh_tokens as r', 'r.session_id', 's.id')
            .select('r.hash')
            .where('s.keep_until', '<', p('before'))
            .limit(p('limit')),
        ),
    ),
    bounded((db, p) =>
      db.deleteFrom('sessions').where('id', 'in', (eb) =>
        eb
          .selectFrom('sessions as s')
          .select('s.id')
          .where('s.keep_until', '<', p('before'))
          .where((on) =>
            on.not(
              on.exists(on.selectFrom('refresh_tokens as r').select('r.hash').whereRef('r.session_id', '=', 's.id')),
            ),
          )
          .orderBy('s.keep_until')
          .limit(p('limit')),
      ),
    ),
    bounded((db, p) =>
      db
        .deleteFrom('throttle')
        .where('key', 'in', (eb) =>
          eb
            .selectFrom('throttle')
            .select('key')
            .where('forget_at', '<', p('before'))
            .orderBy('forget_at')
            .limit(p('limit')),
        ),
    ),
  ]
  return {
    *prune(before, limit) {
      let left = Math.max(0, limit)
      for (const step of steps) {
        if (left === 0) break
        left -= yield* run(step, { before, limit: left })
      }
      return Math.max(0, limit) - left
    },
  }
}
