import type { AssertionStore } from '@countersign/issuer'
import { type OperationOf, run } from '../operation.ts'
import type { Compile } from '../statement.ts'

export interface AssertionWrites {
  readonly useAssertion: OperationOf<AssertionStore['use']>
  readonly forgetAssertions: OperationOf<AssertionStore['forget']>
}

export function assertionWrites(compile: Compile): AssertionWrites {
  const insert = compile<{ id: string; until: number }>()((db, p) =>
    db
      .insertInto('client_assertions')
      .values({ id: p('id'), until: p('until') })
      .onConflict((conflict) => conflict.doNothing()),
  )
  const remove = compile<{ now: number; limit: number }>()((db, p) =>
    db
      .deleteFrom('client_assertions')
      .where('id', 'in', (eb) =>
        eb
          .selectFrom('client_assertions')
          .select('id')
          .where('until', '<=', p('now'))
          .orderBy('until')
          .limit(p('limit')),
      ),
  )
  return {
    *useAssertion(id, until) {
      return (yield* run(insert, { id, until })) === 1
    },
    *forgetAssertions(now, limit) {
      return yield* run(remove, { now, limit: Math.max(0, limit) })
    },
  }
}
