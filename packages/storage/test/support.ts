import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { openSqlite, type SqliteDatabase, type SqliteOptions } from '../src/sqlite.ts'

/** A directory of the running test's own, removed at its end, or when `atEnd` says. */
export function temporaryDirectory(atEnd: (call: () => void) => void = onTestFinished): string {
  const directory = mkdtempSync(join(tmpdir(), 'countersign-storage-'))
  atEnd(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** A database that the running test closes at its end. */
export async function openForTest(path: string, options: SqliteOptions = {}): Promise<SqliteDatabase> {
  const database = await openSqlite(path, options)
  onTestFinished(() => database.close())
  return database
}
