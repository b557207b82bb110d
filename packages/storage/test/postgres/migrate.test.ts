import { query } from '@countersign-tooling/postgres'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { checkVersion, migrate } from '../../src/postgres/migrate.ts'
import { migrations } from '../../src/postgres/migrations.ts'
import { readOptions } from '../../src/postgres/options.ts'
import { Session } from '../../src/postgres/session.ts'
import { openPostgres } from '../../src/postgres.ts'
import type { Migration } from '../../src/sqlite/migrations.ts'
import { issued, user } from '../records.ts'
import { patient } from './patient.ts'
import { databaseUrl, newSchema, openForTest } from './support.ts'

const first: Migration = { name: 'first', sql: 'CREATE TABLE a (x int); INSERT INTO a VALUES (1)' }
const second: Migration = { name: 'second', sql: 'ALTER TABLE a ADD COLUMN y int DEFAULT 2' }
const broken: Migration = { name: 'broken', sql: 'CREATE TABLE b (x int); CREATE TABLE b (x int)' }

let url: string
let schema: string
beforeEach(async () => {
  url = await databaseUrl()
  schema = newSchema()
})

async function session(): Promise<Session> {
  const settings = await readOptions(url, { ...patient, schema })
  const [place] = settings.places
  if (place === undefined) throw new Error('no place')
  const opened = await Session.open(place, settings)
  onTestFinished(() => opened.close())
  return opened
}

it('applies what is missing, in order, once', async () => {
  const one = await session()
  expect(await migrate(one, schema, [first])).toEqual({ from: 0, to: 1 })
  expect(await migrate(one, schema, [first])).toEqual({ from: 1, to: 1 })
  expect(await migrate(one, schema, [first, second])).toEqual({ from: 1, to: 2 })
  expect(await query(url, `SELECT * FROM ${schema}.a`)).toEqual([{ x: 1, y: 2 }])
})

it('applies all of it or nothing', async () => {
  const one = await session()
  await migrate(one, schema, [first])
  await expect(migrate(one, schema, [first, second, broken])).rejects.toThrow('already exists')
  expect(await checkVersion(one, schema, [first])).toBe(1)
  expect(await query(url, `SELECT * FROM ${schema}.a`)).toEqual([{ x: 1 }])
})

it('leaves tables alone that are one version ahead, and refuses them further ahead or behind', async () => {
  const one = await session()
  await migrate(one, schema, [first, second])
  expect(await migrate(one, schema, [first])).toEqual({ from: 2, to: 2 })
  await expect(migrate(one, schema, [])).rejects.toMatchObject({ code: 'schema_too_new' })
  await expect(checkVersion(one, schema, [first, second, broken])).rejects.toMatchObject({ code: 'schema_too_old' })
})

it('lets instances that start together take turns', async () => {
  const sessions = await Promise.all(Array.from({ length: 5 }, session))
  const outcomes = await Promise.all(sessions.map((one) => migrate(one, schema)))
  expect(outcomes.filter(({ from }) => from === 0)).toHaveLength(1)
  for (const { to } of outcomes) expect(to).toBe(migrations.length)
})

it('gives up on a table that others hold, and changes nothing', async () => {
  const [one, blocker] = [await session(), await session()]
  await migrate(one, schema, [first])
  await blocker.command(`BEGIN; LOCK TABLE ${schema}.a IN ACCESS SHARE MODE`)
  await expect(migrate(one, schema, [first, second])).rejects.toMatchObject({ code: '55P03' })
  await blocker.command('ROLLBACK')
  expect(await migrate(one, schema, [first, second])).toEqual({ from: 1, to: 2 })
})

it('works beside a newer program, and is told by no tables and by too new ones', async () => {
  await expect(openPostgres(url, { ...patient, schema, create: false })).rejects.toMatchObject({
    code: 'schema_too_old',
  })
  await expect(openPostgres(url, { ...patient, schema, migrate: false })).rejects.toMatchObject({
    code: 'schema_too_old',
  })
  const events: string[] = []
  const older = await openForTest({ schema, onEvent: ({ type }) => events.push(type) })
  expect(events).toContain('migrated')
  // With statements that were prepared before.
  expect(await older.stores.issuer.users.byId('ada')).toBeUndefined()
  expect(await older.stores.issuer.issued.status('a')).toBeUndefined()
  // A newer program comes: its tables have more, and its version is one ahead.
  await query(
    url,
    `ALTER TABLE ${schema}.users ADD COLUMN nickname text NOT NULL DEFAULT ''`,
    `ALTER TABLE ${schema}.issued_tokens ADD COLUMN device text`,
    `UPDATE ${schema}.schema_version SET version = version + 1`,
  )
  await older.stores.issuer.users.add(user)
  await Promise.all(['a', 'b'].map((jti) => older.stores.issuer.issued.add(issued(jti))))
  expect(await older.stores.issuer.users.byId('ada')).toEqual(user)
  await older.check()
  const another = await openForTest({ schema, migrate: false })
  expect(await another.stores.issuer.issued.status('a')).toBeDefined()
  // Two ahead, it has to go.
  await query(url, `UPDATE ${schema}.schema_version SET version = version + 1`)
  await expect(older.check()).rejects.toMatchObject({ code: 'schema_too_new' })
  await expect(openPostgres(url, { ...patient, schema })).rejects.toMatchObject({ code: 'schema_too_new' })
})

it('leaves the tables of others alone', async () => {
  await query(url, `CREATE SCHEMA ${schema}`, `CREATE TABLE ${schema}.theirs (x int)`)
  await expect(openPostgres(url, { ...patient, schema })).rejects.toMatchObject({ code: 'not_a_database' })
})

it('works for a role that may not change the tables', async () => {
  await openForTest({ schema })
  await query(
    url,
    `DROP ROLE IF EXISTS service`,
    `CREATE ROLE service LOGIN`,
    `GRANT USAGE ON SCHEMA ${schema} TO service`,
    `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO service`,
  )
  const as = url.replace('postgres@', 'service@')
  onTestFinished(async () => void (await query(url, 'DROP OWNED BY service', 'DROP ROLE service')))
  const database = await openForTest({ schema }, as)
  await database.check()
  await database.stores.issuer.users.add(user)
  await database.close()
  await expect(openPostgres(as, { ...patient, schema: newSchema() })).rejects.toMatchObject({ code: 'cannot_open' })
})
