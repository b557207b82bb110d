import { readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { run as biomeFaults } from '../checks/biome-faults.mjs'
import { run as consumerMatrix } from '../checks/consumer-matrix.mjs'
import { run as deadCode } from '../checks/dead-code.mjs'
import { run as lint } from '../checks/lint.mjs'
import { layoutFaults, orphanFaults, run as packed } from '../checks/packed.mjs'
import { plant, root } from './plant.ts'

/** A tree that has the workspace's tools. */
function plantWithTools(files: Readonly<Record<string, string>>): string {
  const folder = plant(files)
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

describe("the linter's young rules", () => {
  it.each([
    ['suspicious', 'noImportCycles'],
    ['nursery', 'noFloatingPromises'],
    ['nursery', 'noMisusedPromises'],
  ])('are missed when %s/%s falls silent', async (group, rule) => {
    const config = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'))
    config.linter.rules[group][rule] = 'off'
    await expect(biomeFaults({ root, config: JSON.stringify(config) })).resolves.toEqual([
      `the linter no longer finds a planted fault of ${group}/${rule}`,
    ])
  })
})

describe('lint', () => {
  it('finds a variable that nothing uses', async () => {
    const folder = plantWithTools({ 'biome.json': '{}', 'a.ts': 'debugger\n' })
    expect((await lint({ root: folder })).join('\n')).toContain('noDebugger')
  })
})

describe('dead code', () => {
  const files = {
    'package.json': '{ "name": "planted", "private": true, "type": "module", "dependencies": { "left": "1" } }',
    'knip.json': '{ "entry": ["index.js"], "project": ["*.js"] }',
    'index.js': "import { used } from './used.js'\n\nused()\n",
    'used.js': 'export function used() {}\nexport function unused() {}\n',
    'nobody.js': 'export {}\n',
  }

  it('finds a file, an export and a dependency that nothing uses', async () => {
    const said = (await deadCode({ root: plantWithTools(files) })).join('\n')
    for (const name of ['nobody.js', 'unused', 'left']) expect(said).toContain(name)
  })
})

describe('what is packed', () => {
  const manifest = {
    name: '@countersign/planted',
    version: '0.0.0',
    license: 'MIT',
    type: 'module',
    exports: { '.': { types: './dist/index.d.ts', default: './dist/index.js' } },
    files: ['dist'],
  }
  const files = {
    'package.json': '{ "name": "planted", "private": true }',
    'pnpm-workspace.yaml': 'packages:\n  - packages/*\n',
    'packages/planted/package.json': JSON.stringify(manifest),
    'packages/planted/README.md': '# Planted\n',
    'packages/planted/LICENSE': 'MIT\n',
    'packages/planted/src/index.ts': 'export const one = 1\n',
    'packages/planted/dist/index.js': 'export const one = 1\n',
    'packages/planted/dist/index.d.ts': 'export declare const one: 1\n',
  }

  it('passes when it is whole', async () => {
    await expect(packed({ root: plantWithTools(files) })).resolves.toEqual([])
  })

  it('fails publint when an entry point is not in the tarball', async () => {
    const { 'packages/planted/dist/index.js': _entry, ...rest } = files
    const problems = await packed({ root: plantWithTools(rest) })
    expect(problems.join('\n')).toMatch(/publint: .*\.\/dist\/index\.js/)
  })

  it('fails attw when the types resolve to nothing', async () => {
    const types = { './dist/index.d.ts': "export { one } from './absent.js'\n" }
    const broken = { ...files, 'packages/planted/dist/index.d.ts': types['./dist/index.d.ts'] }
    const problems = await packed({ root: plantWithTools(broken) })
    expect(problems.join('\n')).toContain('attw')
  })

  it('fails when an entry point cannot be imported', async () => {
    const broken = { ...files, 'packages/planted/dist/index.js': "export { one } from 'not-a-dependency'\n" }
    await expect(packed({ root: plantWithTools(broken) })).resolves.toEqual([
      expect.stringContaining('@countersign/planted cannot be imported'),
    ])
  })

  it('may not carry a workspace range, and carries README and licence', () => {
    const home = plant({ 'package.json': '{ "dependencies": { "@countersign/tokens": "workspace:^" } }' })
    expect(layoutFaults('@countersign/planted', home)).toEqual([
      '@countersign/planted: a workspace: range is left in the packed manifest',
      '@countersign/planted: README.md is not in the tarball',
      '@countersign/planted: LICENSE is not in the tarball',
    ])
  })

  it('holds nothing that was built from a source that is gone', () => {
    const home = plant({ 'dist/a.js': '', 'dist/a.d.ts': '', 'dist/react/b.js': '', 'dist/react/gone.js': '' })
    const folder = plant({ 'src/a.ts': '', 'src/react/b.tsx': '' })
    expect(orphanFaults('@countersign/planted', home, folder)).toEqual([
      '@countersign/planted: dist/react/gone.js was built from a source that is gone; remove dist and build again',
    ])
  })
})

describe('the consumer matrix document', () => {
  it('is missed when it is not there', async () => {
    const problems = await consumerMatrix({ root, page: 'docs/security/no-such-matrix.md' })
    expect(problems.join('\n')).toContain('no-such-matrix.md does not exist')
  })

  it('is stale when it says something else', async () => {
    const page = join(plant({ 'matrix.md': '# The matrix of another fleet\n' }), 'matrix.md')
    expect((await consumerMatrix({ root, page })).join('\n')).toContain('is stale')
  })
})
