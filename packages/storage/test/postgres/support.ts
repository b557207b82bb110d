import { createDatabase } from '@countersign-tooling/postgres'
import { onTestFinished } from 'vitest'
import { openPostgres, type PostgresDatabase, type PostgresOptions } from '../../src/postgres.ts'
import { patient } from './patient.ts'

const databases = new Map<string, Promise<string>>()

/** A database that the tests of one file share, each in a schema of its own. */
export function databaseUrl(): Promise<string> {
  let url = databases.get('')
  if (url === undefined) {
    url = createDatabase().then((one) => one.url)
    databases.set('', url)
  }
  return url
}

let schemas = 0

/** A schema that nobody else uses. */
export function newSchema(): string {
  schemas += 1
  return `test_${schemas}`
}

/** A database that the running test closes at its end. */
export async function openForTest(options: PostgresOptions = {}, url?: string): Promise<PostgresDatabase> {
  const database = await openPostgres(url ?? (await databaseUrl()), { ...patient, schema: newSchema(), ...options })
  onTestFinished(() => database.close())
  return database
}
