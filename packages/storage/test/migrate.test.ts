import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { type Migration, migrations } from '../src/sqlite/migrations.ts'
import { migrate, setUpWriter } from '../src/sqlite/prepare.ts'
import { WriterConnection } from '../src/sqlite/writer-connection.ts'
import { temporaryDirectory } from './support.ts'

const first: Migration = { name: 'first', sql: 'CREATE TABLE a (x); INSERT INTO a VALUES (1)' }
const second: Migration = { name: 'second', sql: 'ALTER TABLE a ADD COLUMN y DEFAULT 2' }
const broken: Migration = { name: 'broken', sql: 'CREATE TABLE b (x); CREATE TABLE b (x)' }

let connection: WriterConnection
beforeEach(() => {
  const path = join(temporaryDirectory(), 'data.db')
  writeFileSync(path, '')
  connection = new WriterConnection(path)
  onTestFinished(() => connection.close())
  setUpWriter(connection)
})

it('applies what is missing, in order, once', () => {
  expect(migrate(connection, [first])).toEqual({ from: 0, to: 1 })
  expect(migrate(connection, [first])).toEqual({ from: 1, to: 1 })
  expect(migrate(connection, [first, second])).toEqual({ from: 1, to: 2 })
  expect(connection.database.prepare('SELECT * FROM a').all()).toEqual([{ x: 1, y: 2 }])
})

it('applies all of it or nothing', () => {
  migrate(connection, [first])
  expect(() => migrate(connection, [first, second, broken])).toThrow('already exists')
  expect(connection.number('user_version')).toBe(1)
  expect(connection.database.prepare('SELECT * FROM a').all()).toEqual([{ x: 1 }])
  expect(connection.database.inTransaction).toBe(false)
})

it('leaves a database alone that is one version ahead, and refuses it further ahead', () => {
  migrate(connection, [first, second])
  expect(migrate(connection, [first])).toEqual({ from: 2, to: 2 })
  expect(() => migrate(connection, [])).toThrow(expect.objectContaining({ code: 'schema_too_new' }))
})

it('makes a schema whose foreign keys and indexes are whole', () => {
  migrate(connection)
  expect(connection.number('user_version')).toBe(migrations.length)
  expect(connection.database.pragma('foreign_key_check')).toEqual([])
  expect(connection.database.pragma('integrity_check', { simple: true })).toBe('ok')
})
