import pg from 'pg'
import type { Migration } from '../sqlite/migrations.ts'
import type { Migrated } from '../sqlite/prepare.ts'
import { StorageError } from '../storage-error.ts'
import { migrations } from './migrations.ts'
import type { Session } from './session.ts'

/** Any number; the same for every instance. Together with the schema's own it is the lock of its migrations. */
const lockClass = 0x43_53_47_4e
/** How long a migration waits for the one of another instance, and each of its statements for the locks of others. */
const turnTimeoutMs = 60_000
const lockTimeoutMs = 2_000

const readVersion = `
  SELECT
    (SELECT version FROM schema_version WHERE id = 1) AS version`
const whatIsThere = (schema: string): string => `
  SELECT
    to_regclass(${pg.escapeLiteral(`${schema}.schema_version`)}) IS NOT NULL AS is_ours,
    EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = ${pg.escapeLiteral(schema)}) AS has_schema,
    EXISTS (SELECT FROM pg_catalog.pg_tables WHERE schemaname = ${pg.escapeLiteral(schema)}) AS has_tables`

interface Found {
  readonly is_ours: boolean
  readonly has_schema: boolean
  readonly has_tables: boolean
}

/**
 * The version of the tables; 0: there are none.
 * @throws StorageError `not_a_database` when the schema holds tables of something else
 */
export async function versionOf(session: Session, schema: string): Promise<number> {
  const found = (await session.command(whatIsThere(schema))).rows[0] as Found
  if (!found.is_ours) {
    if (!found.has_tables) return 0
    throw new StorageError('not_a_database', `The schema "${schema}" holds tables of another program.`)
  }
  const row = (await session.command(readVersion)).rows[0] as { readonly version: number | null }
  return row.version ?? 0
}

/**
 * Looks whether this program can work on the tables as they are: of its own version, or one ahead, since a newer program
 * beside this one migrated them and migrations expand.
 * @throws StorageError `schema_too_old`, `schema_too_new`, `not_a_database`
 */
export async function checkVersion(
  session: Session,
  schema: string,
  list: readonly Migration[] = migrations,
): Promise<number> {
  const version = await versionOf(session, schema)
  if (version === 0) throw new StorageError('schema_too_old', `The schema "${schema}" has no tables yet.`)
  const both = `The schema "${schema}" has version ${version}; this program knows ${list.length}`
  if (version < list.length) throw new StorageError('schema_too_old', `${both}.`)
  if (version > list.length + 1) {
    throw new StorageError('schema_too_new', `${both} and works beside ${list.length + 1}.`)
  }
  return version
}

/**
 * Brings the tables up to this program's version, all of it or nothing. Instances that start together take turns.
 * @throws StorageError as `checkVersion`; `busy` when others held their locks for too long: nothing was changed
 */
export async function migrate(
  session: Session,
  schema: string,
  list: readonly Migration[] = migrations,
): Promise<Migrated> {
  const before = await versionOf(session, schema)
  if (before >= list.length) {
    const version = await checkVersion(session, schema, list)
    return { from: version, to: version }
  }
  const name = pg.escapeIdentifier(schema)
  try {
    await session.command(`
      BEGIN ISOLATION LEVEL READ COMMITTED;
      SET LOCAL statement_timeout = 0;
      SET LOCAL lock_timeout = ${turnTimeoutMs};
      SELECT pg_advisory_xact_lock(${lockClass}, hashtext(${pg.escapeLiteral(schema)}));
      SET LOCAL lock_timeout = ${lockTimeoutMs}`)
    const from = await versionOf(session, schema)
    if (from < list.length) {
      const found = (await session.command(whatIsThere(schema))).rows[0] as Found
      // Asked first: a role may use a schema that was made for it, and be no one who may make any.
      if (!found.has_schema) await session.command(`CREATE SCHEMA ${name}`)
      if (from === 0) {
        await session.command('CREATE TABLE schema_version (id int8 PRIMARY KEY CHECK (id = 1), version int8 NOT NULL)')
        await session.command('INSERT INTO schema_version (id, version) VALUES (1, 0)')
      }
      for (const { sql } of list.slice(from)) await session.command(sql)
      await session.command(`UPDATE schema_version SET version = ${list.length} WHERE id = 1`)
    }
    await session.command('COMMIT')
    return { from, to: Math.max(from, list.length) }
  } catch (error) {
    await session.command('ROLLBACK').catch(() => {})
    throw error
  }
}
