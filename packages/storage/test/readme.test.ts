import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { storageErrorCodes } from '../src/sqlite.ts'
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

it('names every error code', () => {
  for (const code of storageErrorCodes) expect(readme).toContain(`\`${code}\``)
})
