import type { AcknowledgementStore } from '@countersign/revocation'
import { all, type OperationOf, send } from '../operation.ts'
import type { Compile } from '../statement.ts'
import { StorageError } from '../storage-error.ts'

/** Processes of one consumer. */
const mostInstances = 1_000

export interface AcknowledgementReads {
  readonly liveAcknowledgements: OperationOf<AcknowledgementStore['live']>
}

export function acknowledgementReads(compile: Compile): AcknowledgementReads {
  const since = compile<{ since: number }>()((db, p) =>
    db.selectFrom('consumer_acknowledgements').selectAll().where('at', '>=', p('since')),
  )
  return {
    *liveAcknowledgements(now, liveSeconds) {
      const rows = yield* all(since, { since: now - liveSeconds })
      return rows.map(({ consumer, instance, kids, epoch, seq, at }) => {
        return { consumer, instance, kids: toList(kids), position: { epoch, seq }, at }
      })
    },
  }
}

function toList(text: string): readonly string[] {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new StorageError('corrupt', 'The kids of an acknowledgement are not JSON.', { cause })
  }
}

export interface AcknowledgementWrites {
  readonly acknowledge: OperationOf<AcknowledgementStore['put']>
}

export function acknowledgementWrites(compile: Compile): AcknowledgementWrites {
  const put = compile<{ consumer: string; instance: string; kids: string; epoch: number; seq: number; at: number }>()(
    (db, p) =>
      db
        .insertInto('consumer_acknowledgements')
        .values({
          consumer: p('consumer'),
          instance: p('instance'),
          kids: p('kids'),
          epoch: p('epoch'),
          seq: p('seq'),
          at: p('at'),
        })
        .onConflict((conflict) =>
          conflict
            .columns(['consumer', 'instance'])
            .doUpdateSet({ kids: p('kids'), epoch: p('epoch'), seq: p('seq'), at: p('at') }),
        ),
  )
  const surplus = compile<{ consumer: string }>()((db, p) =>
    db
      .deleteFrom('consumer_acknowledgements')
      .where('consumer', '=', p('consumer'))
      .where('instance', 'in', (eb) =>
        eb
          .selectFrom('consumer_acknowledgements')
          .select('instance')
          .where('consumer', '=', p('consumer'))
          .orderBy('at', 'desc')
          .orderBy('instance')
          .limit(eb.lit(1_000_000))
          .offset(eb.lit(mostInstances)),
      ),
  )
  return {
    *acknowledge({ consumer, instance, kids, position }, now) {
      yield* send(put, { consumer, instance, kids: JSON.stringify(kids), ...position, at: now })
      yield* send(surplus, { consumer })
    },
  }
}
