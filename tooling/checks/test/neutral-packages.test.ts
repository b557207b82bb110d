import { describe, expect, it } from 'vitest'
import { run } from '../checks/neutral-packages.mjs'
import { plant } from './plant.ts'

const sound = {
  'packages/tokens/package.json': JSON.stringify({
    name: '@countersign/tokens',
    type: 'module',
    exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' }, './package.json': './package.json' },
    imports: { '#engine': { node: './dist/node/engine.js', default: './dist/engine.js' } },
  }),
  'packages/tokens/tsconfig.build.json': JSON.stringify({
    compilerOptions: { types: [], lib: ['ES2023', 'WebWorker'] },
    exclude: ['src/node'],
  }),
  'packages/tokens/src/index.ts': 'export const claims = { process: 1 }\nexport const n = claims.process\n',
  'packages/tokens/src/node/engine.ts': "import 'node:crypto'\n",
  'packages/tokens/dist/index.js': "export { engine } from '#engine'\n",
  'packages/tokens/dist/engine.js': 'export const engine = 1\n',
  'packages/tokens/dist/node/engine.js': "import 'node:crypto'\nexport const engine = 2\n",
}

const faults: [why: string, change: Record<string, string>, words: string][] = [
  [
    'compiler settings that know Node',
    {
      'packages/tokens/tsconfig.build.json':
        '{ "compilerOptions": { "types": ["node"], "lib": [] }, "exclude": ["src/node"] }',
    },
    '"types" must be []',
  ],
  [
    'Node sources compiled with the rest',
    { 'packages/tokens/tsconfig.build.json': '{ "compilerOptions": { "types": [], "lib": [] } }' },
    '"exclude" must name src/node',
  ],
  ['an import of node:fs', { 'packages/tokens/src/a.ts': "import 'node:fs'" }, 'imports node:fs'],
  [
    'a builtin without the prefix',
    { 'packages/tokens/src/a.ts': "import { createHash } from 'crypto'" },
    'imports crypto',
  ],
  ['a type of Node', { 'packages/tokens/src/a.ts': "export type S = import('node:net').Socket" }, 'imports node:net'],
  ['a Buffer', { 'packages/tokens/src/a.ts': "export const b = Buffer.from('')" }, 'uses Buffer'],
  ['process in shorthand', { 'packages/tokens/src/a.ts': 'export const p = { process }' }, 'uses process'],
  ['all of zod', { 'packages/tokens/src/a.ts': "import { z } from 'zod'" }, 'bundles all of zod'],
  [
    'a builtin in what is built',
    { 'packages/tokens/dist/engine.js': "export { createHash as engine } from 'node:crypto'\n" },
    "pulls node:crypto (from packages/tokens/dist/engine.js) into a browser's bundle",
  ],
]

describe('neutral packages', () => {
  it('may have Node engines behind an import condition', async () => {
    await expect(run({ root: plant(sound) })).resolves.toEqual([])
  })

  it.each(faults)('may not have %s', async (_why, change, words) => {
    const problems = await run({ root: plant({ ...sound, ...change }) })
    expect(problems.map((problem) => problem.replace(/\(from .*(?=packages)/, '(from '))).toEqual([
      expect.stringContaining(words),
    ])
  })

  it('must be built', async () => {
    const { 'packages/tokens/dist/index.js': _entry, ...rest } = sound
    await expect(run({ root: plant(rest) })).resolves.toEqual([expect.stringContaining('is not built')])
  })
})
