import { execFileSync } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPrivateFile, ensurePrivateDirectory, readPrivateFile, writePrivateFile } from '../src/index.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'countersign-sealing-'))
})
afterAll(() => rm(directory, { recursive: true }))

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const limits = { maxBytes: 100 }
let count = 0
const fresh = (): string => join(directory, `file-${count++}`)
const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777

describe('readPrivateFile', () => {
  it('reads a file that only its owner can reach', async () => {
    const path = fresh()
    await writeFile(path, 'hello', { mode: 0o600 })
    expect(await readPrivateFile(path, limits)).toEqual(bytes('hello'))
    await chmod(path, 0o400)
    expect(await readPrivateFile(path, limits)).toEqual(bytes('hello'))
    await writeFile(fresh(), '', { mode: 0o600 })
  })

  const refused: [why: string, make: (path: string) => Promise<unknown>, code: string][] = [
    ['is missing', async () => {}, 'file_missing'],
    ['the group can read', (path) => writeFile(path, 'x', { mode: 0o640 }), 'file_unsafe'],
    ['the world can read', (path) => writeFile(path, 'x', { mode: 0o604 }), 'file_unsafe'],
    ['the group can write', (path) => writeFile(path, 'x').then(() => chmod(path, 0o620)), 'file_unsafe'],
    ['is a directory', (path) => mkdir(path, { mode: 0o700 }), 'file_unsafe'],
    ['is larger than allowed', (path) => writeFile(path, 'x'.repeat(101), { mode: 0o600 }), 'file_too_large'],
    [
      'is a symbolic link to a good file',
      async (path) => {
        await writeFile(`${path}-target`, 'x', { mode: 0o600 })
        await symlink(`${path}-target`, path)
      },
      'file_unsafe',
    ],
    ['is a symbolic link to nothing', (path) => symlink(`${path}-nothing`, path), 'file_unsafe'],
    ['is a named pipe', async (path) => execFileSync('mkfifo', ['-m', '600', path]), 'file_unsafe'],
  ]
  it.each(refused)('refuses a file that %s', async (_why, make, code) => {
    const path = fresh()
    await make(path)
    await expect(readPrivateFile(path, limits)).rejects.toMatchObject({ name: 'SealingError', code })
  })

  // Only root can give a file away.
  it.runIf(process.geteuid?.() === 0)('refuses a file that somebody else owns', async () => {
    const path = fresh()
    await writeFile(path, 'x', { mode: 0o600 })
    execFileSync('chown', ['12345', path])
    await expect(readPrivateFile(path, limits)).rejects.toMatchObject({ code: 'file_unsafe' })
  })
})

describe('writePrivateFile', () => {
  it('creates and replaces, mode 0600, and leaves nothing else behind', async () => {
    const place = join(directory, 'replace')
    await mkdir(place)
    const path = join(place, 'secret')
    await writePrivateFile(path, bytes('one'))
    await chmod(path, 0o644)
    await writePrivateFile(path, bytes('two'))
    expect(await readFile(path, 'utf8')).toBe('two')
    expect(await modeOf(path)).toBe(0o600)
    expect(await readdir(place)).toEqual(['secret'])
  })

  it('replaces a symbolic link instead of writing through it', async () => {
    const [path, victim] = [fresh(), fresh()]
    await writeFile(victim, 'untouched')
    await symlink(victim, path)
    await writePrivateFile(path, bytes('mine'))
    expect(await readFile(victim, 'utf8')).toBe('untouched')
    expect(await readFile(path, 'utf8')).toBe('mine')
  })

  it('leaves no temporary file when it cannot replace', async () => {
    const place = join(directory, 'blocked')
    await mkdir(join(place, 'target', 'child'), { recursive: true })
    await expect(writePrivateFile(join(place, 'target'), bytes('x'))).rejects.toMatchObject({ code: 'file_failed' })
    expect(await readdir(place)).toEqual(['target'])
  })

  it('says that the directory is missing', async () => {
    const path = join(directory, 'nowhere', 'secret')
    await expect(writePrivateFile(path, bytes('x'))).rejects.toMatchObject({ code: 'file_missing' })
  })
})

describe('createPrivateFile', () => {
  it('lets one of twenty succeed, whole', async () => {
    const path = fresh()
    const outcomes = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => createPrivateFile(path, bytes(`writer ${index}`))),
    )
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'file_exists' })
    }
    expect(await readFile(path, 'utf8')).toBe(`writer ${outcomes.findIndex(({ status }) => status === 'fulfilled')}`)
    expect(await modeOf(path)).toBe(0o600)
  })

  it('does not create through a dangling symbolic link', async () => {
    const path = fresh()
    await symlink(`${path}-target`, path)
    await expect(createPrivateFile(path, bytes('x'))).rejects.toMatchObject({ code: 'file_exists' })
    expect((await readdir(directory)).filter((name) => name.endsWith('-target') && path.endsWith(name))).toEqual([])
  })
})

describe('ensurePrivateDirectory', () => {
  it('creates it with its parents, mode 0700, and accepts it the next time', async () => {
    const path = join(directory, 'new', 'deep')
    await ensurePrivateDirectory(path)
    await ensurePrivateDirectory(`${path}/`)
    expect(await modeOf(path)).toBe(0o700)
    expect(await modeOf(join(directory, 'new'))).toBe(0o700)
  })

  const refused: [why: string, make: (path: string) => Promise<unknown>][] = [
    ['others can list', (path) => mkdir(path, { mode: 0o755 })],
    ['the group can write to', (path) => mkdir(path).then(() => chmod(path, 0o720))],
    ['is a file', (path) => writeFile(path, '', { mode: 0o600 })],
    ['is a symbolic link', (path) => mkdir(`${path}-real`, { mode: 0o700 }).then(() => symlink(`${path}-real`, path))],
  ]
  it.each(refused)('refuses one that %s, and changes nothing', async (_why, make) => {
    const path = fresh()
    await make(path)
    const before = await modeOf(path)
    await expect(ensurePrivateDirectory(path)).rejects.toMatchObject({ code: 'file_unsafe' })
    await expect(ensurePrivateDirectory(`${path}/`)).rejects.toMatchObject({ code: 'file_unsafe' })
    expect(await modeOf(path)).toBe(before)
  })
})
