import type { DocumentByName, GenericDatabaseReader } from 'convex/server'
import type { RunnerDataModel } from './tables.ts'

export type RunnerDocument = DocumentByName<RunnerDataModel, 'authRunners'>

export async function findRunner(
  db: GenericDatabaseReader<RunnerDataModel>,
  id: string,
): Promise<RunnerDocument | null> {
  return await db
    .query('authRunners')
    .withIndex('by_runner', (q) => q.eq('runner', id))
    .unique()
}
