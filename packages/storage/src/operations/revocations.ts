import type { KeyRingDocument } from '@countersign/keys'
import type { RevocationEntry, RevocationEvent, RevocationLog } from '@countersign/revocation'
import type { Selectable } from 'kysely'
import { all, first, type Lock, lock, type Operation, send } from '../operation.ts'
import type { RevocationEntriesTable } from '../schema.ts'
import type { Compile } from '../statement.ts'
import { StorageError } from '../storage-error.ts'

type Row = Selectable<RevocationEntriesTable>
type Position = Awaited<ReturnType<RevocationLog['append']>>
type Successor = Extract<RevocationEntry, { type: 'kid' }>['successor']

/** How long events are kept for followers that were away; whoever was away for longer takes the snapshot. */
const keptSeconds = 3_600

/** Rows read at once: some milliseconds. */
const rowsAPage = 4_096

function toRow(entry: RevocationEntry): Row {
  return {
    type: entry.type,
    id: 'id' in entry ? entry.id : '',
    min_generation: 'minGeneration' in entry ? entry.minGeneration : null,
    until: 'until' in entry ? entry.until : null,
    successor: 'successor' in entry && entry.successor !== undefined ? JSON.stringify(entry.successor) : null,
  }
}

function toEntry(row: Row): RevocationEntry {
  const { type, id, min_generation: minGeneration, until } = row
  if (type === 'kid') return row.successor === null ? { type, id } : { type, id, successor: toJwk(row.successor) }
  if (until !== null && (type === 'jti' || type === 'sid')) return { type, id, until }
  if (until !== null && minGeneration !== null) {
    if (type === 'global') return { type, minGeneration, until }
    if (type === 'client' || type === 'subject') return { type, id, minGeneration, until }
  }
  throw new StorageError('corrupt', `A revocation of the type "${type}" is stored that is none.`)
}

function toJwk(text: string): NonNullable<Successor> {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new StorageError('corrupt', "A revoked key's successor is not JSON.", { cause })
  }
}

/** Both together: nothing that was revoked is taken back by a weaker word that comes later. */
function merge(stored: Row | undefined, given: Row): Row {
  if (stored === undefined) return given
  const most = (a: number | null, b: number | null): number | null => (a === null || b === null ? a : Math.max(a, b))
  return {
    ...stored,
    min_generation: most(stored.min_generation, given.min_generation),
    until: most(stored.until, given.until),
    successor: stored.successor ?? given.successor,
  }
}

/** Of a left join: whether there was something to the right. */
const isWhole = <T extends { type: string | null; id: string | null }>(row: T): row is T & Row => row.type !== null

const isSame = (a: Row, b: Row): boolean =>
  a.min_generation === b.min_generation && a.until === b.until && a.successor === b.successor

export interface RevocationReads {
  readonly revocationSnapshot: () => Operation<{
    readonly position: Position
    readonly entries: readonly RevocationEntry[]
  }>
  /** The same in pages, for an engine that gives several statements one look. */
  readonly revocationPages: RevocationReads['revocationSnapshot']
  readonly revocationsAfter: (
    seq: number,
    limit: number,
  ) => Operation<{ readonly position: Position; readonly events: readonly RevocationEvent[] } | undefined>
}

export function revocationReads(compile: Compile): RevocationReads {
  // One statement each: a read is a single look at the data, and another process may commit between two of them.
  const snapshot = compile<object>()((db) =>
    db
      .selectFrom('revocation_log as l')
      .leftJoin('revocation_entries as e', (join) => join.onTrue())
      .select(['l.epoch', 'l.seq', 'e.type', 'e.id', 'e.min_generation', 'e.until', 'e.successor'])
      .where((eb) => eb('l.id', '=', eb.lit(1))),
  )
  const position = compile<object>()((db) =>
    db
      .selectFrom('revocation_log')
      .select(['epoch', 'seq'])
      .where((eb) => eb('id', '=', eb.lit(1))),
  )
  const page = compile<{ type: string; id: string; limit: number }>()((db, p) =>
    db
      .selectFrom('revocation_entries')
      .selectAll()
      .where((eb) => eb(eb.refTuple('type', 'id'), '>', eb.tuple(p('type'), p('id'))))
      .orderBy('type')
      .orderBy('id')
      .limit(p('limit')),
  )
  const after = compile<{ seq: number; limit: number }>()((db, p) =>
    db
      .selectFrom('revocation_log as l')
      .leftJoin('revocation_events as e', (join) => join.on('e.seq', '>', p('seq')))
      .select(['l.epoch', 'l.seq as last', 'e.seq', 'e.change', 'e.type', 'e.id', 'e.min_generation', 'e.until'])
      .select('e.successor')
      .where((eb) => eb('l.id', '=', eb.lit(1)))
      .orderBy('e.seq')
      .limit(p('limit')),
  )
  return {
    *revocationSnapshot() {
      const rows = yield* all(snapshot, {})
      const { epoch = 0, seq = 0 } = rows[0] ?? {}
      return { position: { epoch, seq }, entries: rows.filter(isWhole).map(toEntry) }
    },
    *revocationPages() {
      const { epoch, seq } = (yield* first(position, {})) ?? { epoch: 0, seq: 0 }
      const entries: RevocationEntry[] = []
      // No type is empty: every entry comes after this one.
      let last: { readonly type: string; readonly id: string } | undefined = { type: '', id: '' }
      while (last !== undefined) {
        const rows: readonly Row[] = yield* all(page, { type: last.type, id: last.id, limit: rowsAPage })
        for (const row of rows) entries.push(toEntry(row))
        last = rows.length < rowsAPage ? undefined : rows.at(-1)
      }
      return { position: { epoch, seq }, entries }
    },
    *revocationsAfter(seq, limit) {
      // One row more than asked for: with a limit of 0 the position still has to come back.
      const rows = yield* all(after, { seq, limit: Math.max(0, limit) + 1 })
      const { epoch = 0, last = 0 } = rows[0] ?? {}
      const position = { epoch, seq: last }
      if (seq > last || (seq < last && rows[0]?.seq !== seq + 1)) return undefined
      const events: RevocationEvent[] = []
      for (const row of rows) {
        // Events are forgotten by their instants, and clocks step: a gap is where the follower has to take the snapshot.
        if (events.length >= limit || row.seq !== seq + 1 + events.length || !isWhole(row)) break
        events.push({ seq: row.seq, change: row.change === 'drop' ? 'drop' : 'add', entry: toEntry(row) })
      }
      return { position, events }
    },
  }
}

/** Appends one entry within the transaction of whatever revokes; nothing happens if it is held already. */
export type Revoke = (entry: RevocationEntry, now: number) => Operation<void>

export interface RevocationWrites {
  readonly appendRevocations: (entries: readonly RevocationEntry[], now: number) => Operation<Position>
  readonly dropRevocations: (now: number, limit: number) => Operation<number>
}

/** What the log's changes share. */
function changesOf(compile: Compile) {
  const advance = compile<{ seq: number }>()((db, p) =>
    db
      .updateTable('revocation_log')
      .set({ seq: p('seq') })
      .where((eb) => eb('id', '=', eb.lit(1))),
  )
  const insertEvent = compile<Row & { seq: number; change: string; at: number }>()((db, p) =>
    db.insertInto('revocation_events').values({
      seq: p('seq'),
      change: p('change'),
      type: p('type'),
      id: p('id'),
      min_generation: p('min_generation'),
      until: p('until'),
      successor: p('successor'),
      at: p('at'),
    }),
  )
  /** @param seq the next, after the one that was read once the log was locked */
  return function* change(kind: RevocationEvent['change'], seq: number, row: Row, at: number): Operation<void> {
    yield* send(advance, { seq })
    yield* send(insertEvent, { ...row, seq, change: kind, at })
  }
}

/**
 * Locks the log's one row, its counter, before anything of it is read: the order of numbers is that of commits, none is
 * ever left out, and what two transactions say of the same entry comes out as if one had spoken after the other. The last
 * lock of every transaction that has several.
 */
function lockLog(compile: Compile): Lock<object> {
  if (!compile.locksRows) return undefined
  return compile<object>()((db) =>
    db
      .selectFrom('revocation_log')
      .select('id')
      .where((eb) => eb('id', '=', eb.lit(1)))
      .forNoKeyUpdate(),
  )
}

export function revoking(compile: Compile): Revoke {
  const change = changesOf(compile)
  const log = lockLog(compile)
  const find = compile<{ type: string; id: string }>()((db, p) =>
    db
      .selectFrom('revocation_log as l')
      .leftJoin('revocation_entries as e', (join) => join.on('e.type', '=', p('type')).on('e.id', '=', p('id')))
      .select(['l.seq', 'e.type', 'e.id', 'e.min_generation', 'e.until', 'e.successor'])
      .where((eb) => eb('l.id', '=', eb.lit(1))),
  )
  const put = compile<Row>()((db, p) =>
    db
      .insertInto('revocation_entries')
      .values({
        type: p('type'),
        id: p('id'),
        min_generation: p('min_generation'),
        until: p('until'),
        successor: p('successor'),
      })
      .onConflict((conflict) =>
        conflict
          .columns(['type', 'id'])
          .doUpdateSet({ min_generation: p('min_generation'), until: p('until'), successor: p('successor') }),
      ),
  )
  return function* (entry, now) {
    const given = toRow(entry)
    yield* lock(log, {})
    const found = yield* first(find, { type: given.type, id: given.id })
    if (found === undefined) throw new StorageError('corrupt', "The revocation log's counter is gone.")
    const { seq, ...row } = found
    const stored = isWhole(row) ? row : undefined
    const merged = merge(stored, given)
    if (stored !== undefined && isSame(stored, merged)) return
    yield* send(put, merged)
    yield* change('add', seq + 1, merged, now)
  }
}

export function revocationWrites(compile: Compile, revoke: Revoke): RevocationWrites {
  const change = changesOf(compile)
  const log = lockLog(compile)
  const position = compile<object>()((db) =>
    db
      .selectFrom('revocation_log')
      .select(['epoch', 'seq'])
      .where((eb) => eb('id', '=', eb.lit(1))),
  )
  const expired = compile<{ now: number; limit: number }>()((db, p) =>
    db.selectFrom('revocation_entries').selectAll().where('until', '<', p('now')).orderBy('until').limit(p('limit')),
  )
  const remove = compile<{ type: string; id: string }>()((db, p) =>
    db.deleteFrom('revocation_entries').where('type', '=', p('type')).where('id', '=', p('id')),
  )
  const forget = compile<{ before: number; limit: number }>()((db, p) =>
    db
      .deleteFrom('revocation_events')
      .where('seq', 'in', (eb) =>
        eb
          .selectFrom('revocation_events')
          .select('seq')
          .where('at', '<', p('before'))
          .orderBy('at')
          .orderBy('seq')
          .limit(p('limit')),
      ),
  )
  return {
    *appendRevocations(entries, now) {
      for (const entry of entries) yield* revoke(entry, now)
      return (yield* first(position, {})) ?? { epoch: 0, seq: 0 }
    },
    *dropRevocations(now, limit) {
      yield* lock(log, {})
      const { seq = 0 } = (yield* first(position, {})) ?? {}
      const rows = yield* all(expired, { now, limit: Math.max(0, limit) })
      for (const [i, row] of rows.entries()) {
        yield* send(remove, { type: row.type, id: row.id })
        yield* change('drop', seq + 1 + i, row, now)
      }
      yield* send(forget, { before: now - keptSeconds, limit: Math.max(0, limit) })
      return rows.length
    },
  }
}

/** Revoked keys of a token ring, with the key that signs instead. A feed's own keys are not in the feed that they sign. */
export function revokedKeys(ring: KeyRingDocument): readonly RevocationEntry[] {
  if (ring.purpose !== 'token') return []
  const successor = ring.keys.find(({ state }) => state === 'active')?.publicJwk
  return ring.keys
    .filter(({ state }) => state === 'revoked')
    .map(({ kid }) => (successor === undefined ? { type: 'kid', id: kid } : { type: 'kid', id: kid, successor }))
}
