import type { IssuedStore, Party } from '@countersign/issuer'
import { first, type Operation, type OperationOf } from '../operation.ts'
import type { Compile } from '../statement.ts'

export interface ForeignReads {
  readonly foreignEnd: OperationOf<IssuedStore['foreignEnd']>
}

/** Whom another issuer named has no row of ours: their end stands in the revocation log, as long as a token could live. */
export function foreignReads(compile: Compile): ForeignReads {
  const entry = compile<{ type: string; id: string }>()((db, p) =>
    db
      .selectFrom('revocation_entries')
      .select('min_generation')
      .where('type', '=', p('type'))
      .where('id', '=', p('id')),
  )
  function* endOf({ id, generation }: Party): Operation<'session_ended' | 'party_ended' | undefined> {
    if ((yield* first(entry, { type: 'sid', id })) !== undefined) return 'session_ended'
    const found = yield* first(entry, { type: 'subject', id })
    return found !== undefined && generation < (found.min_generation ?? 0) ? 'party_ended' : undefined
  }
  return {
    *foreignEnd(foreign) {
      for (const party of foreign) {
        const end = yield* endOf(party)
        if (end !== undefined) return end
      }
      return undefined
    },
  }
}
