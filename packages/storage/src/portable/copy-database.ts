import { isStorageError, StorageError } from '../storage-error.ts'
import type { EngineName, OnProgress, PortableDatabase } from './database.ts'
import { countAll, Delivery, isEmpty } from './move-rows.ts'
import { tables } from './tables.ts'
import type { Tally } from './tally.ts'

export interface CopyPlan {
  readonly from: { readonly engine: EngineName; readonly place: string; readonly isInUse: boolean }
  readonly to: {
    readonly engine: EngineName
    readonly place: string
    readonly state: 'missing' | 'empty' | 'not_empty'
  }
  /** Rows by table. */
  readonly tables: Readonly<Record<string, number>>
}

export interface Copied {
  /** By table, read back from the copy. */
  readonly tables: Readonly<Record<string, Tally>>
  readonly rows: number
}

/** What {@link copyDatabase} would do. Changes nothing, also beside a running service. */
export async function planCopy(from: PortableDatabase, to: PortableDatabase): Promise<CopyPlan> {
  const source = await from.snapshot()
  const counts = await countAll(source).finally(() => source.close())
  return {
    // Only now: our own look at it would count as a use.
    from: { engine: from.engine, place: from.place, isInUse: await isInUse(from) },
    to: { engine: to.engine, place: to.place, state: await stateOf(to) },
    tables: counts,
  }
}

/**
 * Copies everything into an empty database of whatever engine, in one transaction. This is a move, not a restore: sessions
 * and generations stay, nobody is signed out, and followers of the feed go on. So both must be at rest, and the old
 * database must not be used any more.
 *
 * @throws StorageError `in_use`, `not_found`, `not_empty`, `schema_too_new`, `copy_differs`
 */
export async function copyDatabase(
  from: PortableDatabase,
  to: PortableDatabase,
  onProgress: OnProgress = () => {},
): Promise<Copied> {
  const source = await from.exclusive('as_it_is')
  try {
    const target = await to.exclusive('create')
    try {
      if (!(await isEmpty(target))) throw new StorageError('not_empty', `There is data in ${to.place} already.`)
      const counts = await countAll(source)
      const total = Object.values(counts).reduce((sum, rows) => sum + rows, 0)
      await target.clear()
      const delivery = new Delivery(target)
      let done = 0
      for (const table of tables) {
        for await (const rows of source.rows(table)) {
          await delivery.insert(table, rows)
          done += rows.length
          onProgress({ table: table.name, done, total })
        }
      }
      const copied = await delivery.verify()
      await target.commit()
      return { tables: copied, rows: done }
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

async function isInUse(database: PortableDatabase): Promise<boolean> {
  try {
    const alone = await database.exclusive('as_it_is')
    await alone.close()
    return false
  } catch (error) {
    if (isStorageError(error) && error.code === 'in_use') return true
    throw error
  }
}

async function stateOf(database: PortableDatabase): Promise<CopyPlan['to']['state']> {
  try {
    const snapshot = await database.snapshot()
    try {
      return (await isEmpty(snapshot)) ? 'empty' : 'not_empty'
    } finally {
      await snapshot.close()
    }
  } catch (error) {
    if (isStorageError(error) && error.code === 'not_found') return 'missing'
    throw error
  }
}
