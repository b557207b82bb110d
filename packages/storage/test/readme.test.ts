import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { storageErrorCodes } from '../src/sqlite.ts'
import { databaseUrl } from './postgres/support.ts'
import { temporaryDirectory } from './support.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

it('has an example that runs', () => {
  const [, example = ''] = /```ts\n([\s\S]*?)```/.exec(readme) ?? []
  const directory = temporaryDirectory()
  const file = join(directory, 'example.ts')
  const source = new URL('../src/sqlite.ts', import.meta.url).href
  writeFileSync(file, example.replace('@countersign/storage/sqlite', source))
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], { cwd: directory, encoding: 'utf8' })
  expect([stderr, stdout, status]).toEqual(['', '1 undefined\n', 0])
})

it('has an example for PostgreSQL that runs', async () => {
  const example = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code)[1] ?? ''
  const directory = temporaryDirectory()
  const file = join(directory, 'example.ts')
  writeFileSync(
    file,
    example
      .replace('@countersign/storage/postgres', new URL('../src/postgres.ts', import.meta.url).href)
      .replace('postgres://countersign@db.example.com/countersign', await databaseUrl()),
  )
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], { cwd: directory, encoding: 'utf8' })
  expect([stderr, stdout, status]).toEqual(['connected\nnot_durable\nmigrated\n', 'undefined\n', 0])
})

it('names every option of PostgreSQL', () => {
  const source = readFileSync(new URL('../src/postgres/options.ts', import.meta.url), 'utf8')
  const [, body = ''] = /export interface PostgresOptions \{([\s\S]*?)\n\}/.exec(source) ?? []
  const names = [...body.matchAll(/^ {2}readonly (\w+)\?:/gm)].map(([, name = '']) => name)
  expect(names.length).toBeGreaterThan(15)
  for (const name of names) expect(readme).toContain(`\`${name}\``)
})

it('names every error code', () => {
  for (const code of storageErrorCodes) expect(readme).toContain(`\`${code}\``)
})
