import { query } from '@countersign-tooling/postgres'
import { expect, it } from 'vitest'
import { createReads, createWrites } from '../../src/operations.ts'
import { postgresBuilder } from '../../src/postgres/builder.ts'
import { type CompiledStatement, compileWith } from '../../src/statement.ts'
import { databaseUrl, newSchema, openForTest } from './support.ts'

const statements: CompiledStatement[] = []
const record = compileWith(postgresBuilder(), { record: (statement) => statements.push(statement), locksRows: true })
createReads(record)
createWrites(record)

it('finds an index for every query', async () => {
  const schema = newSchema()
  await openForTest({ schema })
  const scanning: string[] = []
  for (const { sql, places } of statements) {
    const rows = (await query(
      await databaseUrl(),
      `SET search_path = ${schema}`,
      // Plans without regard to values or to how few rows there are.
      'SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_bitmapscan = off',
      `PREPARE statement AS ${sql}`,
      `EXPLAIN (COSTS OFF) EXECUTE statement ${places.length === 0 ? '' : `(${places.map(() => 'NULL').join(', ')})`}`,
    )) as { 'QUERY PLAN': string }[]
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    if (/Seq Scan/.test(plan)) scanning.push(sql)
  }
  expect(scanning).toEqual([
    // All of it is what is asked for.
    expect.stringContaining('left join "revocation_entries" as "e" on true'),
  ])
})

it('locks what SQLite need not lock', () => {
  expect(statements.filter(({ sql }) => / for (no key update|share)$/.test(sql))).not.toEqual([])
})
