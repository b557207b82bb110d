import { describe, expect, it } from 'vitest'
import { run } from '../checks/error-codes.mjs'
import { renderErrors } from '../errors-page.mjs'
import { plant } from './plant.ts'

const lists = [
  { package: '@countersign/keys', name: 'keysErrorCodes', remedies: { too_early: 'Wait.', lost_race: 'Try again.' } },
]
const page = `# Errors

What to do about each.

## \`@countersign/keys\`: \`keysErrorCodes\`

### \`too_early\`

Wait.

It is not a fault.

### \`lost_race\`

Try again.
`

const tree = {
  'packages/keys/package.json': JSON.stringify({
    name: '@countersign/keys',
    type: 'module',
    exports: { '.': { default: './dist/index.js' }, './testing': { default: './dist/testing.js' } },
  }),
  'packages/keys/src/keys-error.ts': "export const keysErrorCodes = ['too_early', 'lost_race'] as const\n",
  'packages/keys/dist/index.js': `
    export const keysErrorCodes = ['too_early', 'lost_race']
    export const somethingElse = { a: 1, b: 2 }
    export const remedies = { lost_race: 'Try again.', too_early: 'Wait.' }`,
  'packages/keys/dist/testing.js': "throw new Error('only in a test runner')",
  'docs/reference/errors.md': page,
}

const faults: [why: string, change: Record<string, string>, words: string][] = [
  [
    'a code without a heading',
    { 'docs/reference/errors.md': page.replace(/### `lost_race`[\s\S]*/, '') },
    '`lost_race` of keysErrorCodes has no heading',
  ],
  [
    'a heading without a code',
    { 'docs/reference/errors.md': `${page}\n### \`gone\`\n\nNothing.\n` },
    'which no package has any more',
  ],
  ['another remedy', { 'docs/reference/errors.md': page.replace('Wait.', 'Hurry.') }, 'is not its remedy'],
  [
    'a list that no entry point hands out',
    { 'packages/keys/src/more.ts': "export const vaultErrorCodes = ['sealed'] as const\n" },
    'vaultErrorCodes is exported by no entry point',
  ],
  [
    'codes without remedies',
    { 'packages/keys/dist/index.js': "export const keysErrorCodes = ['too_early', 'lost_race']" },
    'no record of remedies',
  ],
]

describe('documented error codes', () => {
  it('hold when each has its heading and its remedy', async () => {
    await expect(run({ root: plant(tree) })).resolves.toEqual([])
  })

  it.each(faults)('finds %s', async (_why, change, words) => {
    const problems = await run({ root: plant({ ...tree, ...change }) })
    expect(problems).toEqual(expect.arrayContaining([expect.stringContaining(words)]))
  })

  it('are written from the lists, and the prose below a remedy is kept', () => {
    expect(renderErrors(page, lists)).toBe(page)
    const started = '# Errors\n\nWhat to do about each.\n'
    expect(renderErrors(started, lists)).toBe(page.replace('\nIt is not a fault.\n', ''))
    expect(renderErrors(page.replace('Wait.', 'Hurry.'), lists)).toBe(page)
  })
})
