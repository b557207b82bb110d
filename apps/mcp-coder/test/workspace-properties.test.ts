import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { WorkspaceFault } from '../src/workspace/fault.ts'
import type { Workspace } from '../src/workspace/workspace.ts'
import { openBench, secret } from './fixtures.ts'

/** Everything below a folder, as text. */
function snapshot(folder: string): string {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
  const files = names.map((entry) => {
    const path = join(entry.parentPath, entry.name)
    return `${path} ${entry.isFile() ? readFileSync(path, 'utf8') : '-'}`
  })
  return files.sort().join('\n')
}

const part = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('..', '.', '', '/', 'a', 'b', 'out', 'up', 'self', 'secret', 'outside') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('~', '%2e%2e', '..\\', '\0', '...', '. .', 'proc', 'self', 'fd', '..\u200b'),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 12 }) },
)
const path = fc
  .tuple(fc.constantFrom('', '/', './', '../', 'out/', '/proc/self/root/', 'up/../'), fc.array(part, { maxLength: 6 }))
  .map(([start, parts]) => start + parts.join('/'))

const operations: readonly ((workspace: Workspace, path: string) => Promise<unknown>)[] = [
  (workspace, path) => workspace.readFile(path),
  (workspace, path) => workspace.writeFile(path, 'written'),
  (workspace, path) => workspace.listFiles(path, 16),
  (workspace, path) => workspace.search('nobody', { path }),
  (workspace, path) => workspace.remove(path),
]

it('no path reads, names, changes or removes anything outside', async () => {
  const { within, inside, outside } = await openBench()
  const ways: readonly [name: string, target: string][] = [
    ['out', outside],
    ['up', '..'],
    ['self', '/proc/self'],
    ['secret', join(outside, 'secret')],
  ]
  await mkdir(join(inside, 'a'))
  await symlink('../../../outside', join(inside, 'a', 'outside'))
  const before = snapshot(outside)
  await fc.assert(
    fc.asyncProperty(path, fc.nat(operations.length - 1), async (path, index) => {
      // Each time: an operation before may have removed them.
      for (const [name, target] of ways) {
        await symlink(target, join(inside, name)).catch(() => undefined)
      }
      const operation = operations[index] ?? operations[0]
      const result = await within((workspace) => (operation as NonNullable<typeof operation>)(workspace, path)).catch(
        (error: unknown) => {
          if (!(error instanceof WorkspaceFault)) throw error
          expect(error.message).not.toContain(inside)
          return undefined
        },
      )
      expect(JSON.stringify(result ?? null)).not.toContain(secret)
      expect(snapshot(outside)).toBe(before)
    }),
    { numRuns: 1_000 },
  )
})

it('a folder that becomes a link in the midst of it leads nowhere else', async () => {
  const { within, inside, outside } = await openBench()
  const before = snapshot(outside)
  const flipped = join(inside, 'flip')
  let isOver = false
  let flips = 0
  // Between the steps of an operation, and beside them: those are done in other threads.
  const flip = (): void => {
    if (isOver) return
    try {
      rmSync(flipped, { recursive: true, force: true })
      if (flips % 2 === 0) symlinkSync(outside, flipped)
      else {
        mkdirSync(flipped)
        writeFileSync(join(flipped, 'secret'), 'mine')
      }
      flips += 1
    } catch {
      // The operation made it again meanwhile.
    }
    setImmediate(flip)
  }
  flip()
  const seen = new Set<string>()
  for (let round = 0; round < 80; round += 1) {
    for (const [index, operation] of operations.slice(0, 4).entries()) {
      const wanted = index < 2 ? 'flip/secret' : 'flip'
      const outcome = await within((workspace) => operation(workspace, wanted)).then(
        (value) => JSON.stringify(value),
        (error: unknown) => {
          if (!(error instanceof WorkspaceFault)) throw error
          return error.reason
        },
      )
      expect(outcome).not.toContain(secret)
      expect(outcome).not.toContain('deeper')
      seen.add(outcome.slice(0, 12))
    }
  }
  isOver = true
  expect(flips).toBeGreaterThan(30)
  // Both ways were met, or nothing was tried.
  expect(seen).toContain('not_a_folder')
  expect(seen.size).toBeGreaterThan(2)
  expect(snapshot(outside)).toBe(before)
})

it('a file that becomes a link in the midst of it is not read through', async () => {
  const { within, inside, outside } = await openBench()
  writeFileSync(join(inside, 'mine'), 'mine')
  symlinkSync(join(outside, 'secret'), join(inside, 'link'))
  let isOver = false
  const flip = (): void => {
    if (isOver) return
    for (const [from, to] of [
      ['file', 'swap'],
      ['link', 'file'],
      ['swap', 'link'],
    ]) {
      try {
        renameSync(join(inside, from ?? ''), join(inside, to ?? ''))
      } catch {
        // Not there at the first time.
      }
    }
    setImmediate(flip)
  }
  renameSync(join(inside, 'mine'), join(inside, 'file'))
  flip()
  const seen = new Set<string>()
  for (let round = 0; round < 300; round += 1) {
    const outcome = await within((workspace) => workspace.readFile('file')).then(
      ({ text }) => text,
      (error: unknown) => (error instanceof WorkspaceFault ? error.reason : Promise.reject(error)),
    )
    seen.add(outcome)
  }
  isOver = true
  expect(seen).not.toContain(secret)
  expect([...seen].sort()).toEqual(expect.arrayContaining(['a_link', 'mine']))
})
