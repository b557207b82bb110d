import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { createReads, createWrites } from '../src/operations.ts'
import { compileForSqlite, sqliteBuilder } from '../src/sqlite/builder.ts'
import { migrations } from '../src/sqlite/migrations.ts'
import { type CompiledStatement, compileWith, replay } from '../src/statement.ts'

const statements: CompiledStatement[] = []
const record = compileWith(sqliteBuilder(), { record: (statement) => statements.push(statement) })
createReads(record)
createWrites(record)

it('finds an index for every query', () => {
  const database = new Database(':memory:')
  for (const { sql } of migrations) database.exec(sql)
  expect(statements.length).toBeGreaterThan(40)
  const scanning = statements.filter(({ sql, places }) => {
    const plan = database
      .prepare<unknown[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
      .all(...places.map(() => 0))
    return plan.some(({ detail }) => /^SCAN|TEMP B-TREE/.test(detail))
  })
  expect(scanning.map(({ sql }) => sql)).toEqual([
    // There are as many key rings as a hand has fingers.
    'select "name", "version" from "key_rings" order by "name"',
    // The end of an index.
    'select "expires_at" from "issued_tokens" order by "expires_at" desc limit 1',
    // All of it is what is asked for.
    expect.stringContaining('left join "revocation_entries" as "e" on true'),
  ])
  database.close()
})

it('hides values from the planner, which would plan joins anew for each', () => {
  for (const { sql } of statements) expect(sql).not.toMatch(/[^+]\?/)
})

it('gives the writer the statements in the order in which it asks for them', () => {
  const { statements: compiled } = compileForSqlite()
  createWrites(replay(compiled))
  expect(() => createWrites(replay(compiled.slice(1)))).toThrow('fewer statements')
})

it('refuses a statement with a value in it', () => {
  const compile = compileWith(sqliteBuilder())
  expect(() => compile<object>()((db) => db.selectFrom('users').selectAll().where('id', '=', 'ada'))).toThrow(
    'A value stands in a statement',
  )
})
