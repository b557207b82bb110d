import type { GenericDatabaseReader } from 'convex/server'
import type { RunnerDataModel } from './tables.ts'

export async function findRunner(db: GenericDatabaseReader<RunnerDataModel>, id: string) {
  return await db
    .query('authRunners')
    .withIndex('by_runner', (q) => q.eq('runner', id))
    .unique()
}
