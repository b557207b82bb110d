import { expect, it } from 'vitest'
import { run } from '../checks/named-tests.mjs'
import { plant } from './plant.ts'

const page = 'docs/reference/clerk-checklist.md'
const test = { 'packages/a/test/a.test.ts': "it('holds', () => {})\nit.each([['a row', 1]])('takes %s', () => {})\n" }
const rows = (...all: string[]) =>
  ['| item | shown by |', '| --- | --- |', ...all.map((row) => `| it | ${row} |`)].join('\n')
const link = (title: string, file = 'packages/a/test/a.test.ts') => `[${title}](../../${file})`

it('lets rows through that name a test, or say that they are a part of their own', () => {
  const text = rows(`${link('holds')}, ${link('a row')}`, link('takes %s'), 'cut-over, a part of its own')
  expect(run({ root: plant({ ...test, [page]: text }) })).toEqual([])
})

it.each([
  ['a test that is called something else', link('held'), 'has no test "held"'],
  ['a part of a title', link('hold'), 'has no test "hold"'],
  ['a file that is gone', link('holds', 'packages/a/test/b.test.ts'), 'is not there'],
  ['a row that shows nothing', 'soon', 'a row names no test'],
])('finds %s', (_what, row, words) => {
  const text = rows(link('holds'), row)
  expect(run({ root: plant({ ...test, [page]: text }) })).toEqual([expect.stringContaining(words)])
})

it('finds a page that names nothing', () => {
  expect(run({ root: plant({ ...test, [page]: '# Nothing\n' }) })).toEqual([expect.stringContaining('names no test')])
})
