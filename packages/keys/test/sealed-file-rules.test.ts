import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { createKekFile } from '@countersign/sealing'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { sealedFile } from '../src/file.ts'
import type { KeyRingDocument } from '../src/index.ts'
import { createFakeClock } from './fake-clock.ts'
import { openRing } from './ring-fixture.ts'

let root: string
let directory: string
let count = 0
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'countersign-files-'))
})
beforeEach(() => {
  directory = join(root, `${count++}`)
})
afterAll(() => rm(root, { recursive: true }))

const ring = (version: number, more: Partial<KeyRingDocument> = {}): KeyRingDocument => ({
  format: 1,
  name: 'tokens',
  purpose: 'token',
  issuer: 'https://auth.example.com',
  algorithm: 'EdDSA',
  version,
  updatedAt: 1_700_000_000,
  keys: [],
  ...more,
})
const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777

describe('the files of a sealedFile store', () => {
  it('are 0600 in a directory of 0700; what was replaced is empty at once', async () => {
    const store = sealedFile(directory)
    for (const version of [1, 2, 3]) expect(await store.replace(ring(version))).toBe(true)
    expect(await modeOf(directory)).toBe(0o700)
    expect((await readdir(directory)).sort()).toEqual(['tokens.1.json', 'tokens.2.json', 'tokens.3.json'])
    for (const name of await readdir(directory)) expect(await modeOf(join(directory, name))).toBe(0o600)
    expect(await readFile(join(directory, 'tokens.2.json'), 'utf8')).toBe('')
    expect(JSON.parse(await readFile(join(directory, 'tokens.3.json'), 'utf8'))).toEqual(ring(3))
  })

  it('do not pile up', async () => {
    const store = sealedFile(directory)
    for (let version = 1; version <= 40; version += 1) {
      expect(await store.replace(ring(version))).toBe(true)
      const aged = new Date(Date.now() - 120_000)
      await utimes(join(directory, `tokens.${Math.max(1, version - 1)}.json`), aged, aged).catch(() => {})
    }
    expect((await readdir(directory)).length).toBeLessThanOrEqual(18)
    expect(await store.read('tokens')).toEqual(ring(40))
  })

  it('keep rings with strange names apart and inside the directory', async () => {
    const store = sealedFile(directory)
    const names = [
      'tokens',
      'Tokens',
      '../tokens',
      'tokens.2',
      '/etc/passwd',
      '.',
      '..',
      'to_74',
      'tot',
      'x'.repeat(128),
      'ключ'.repeat(30),
    ]
    for (const name of names) expect(await store.replace(ring(1, { name }))).toBe(true)
    for (const name of names) expect((await store.read(name))?.name).toBe(name)
    expect(await readdir(directory)).toHaveLength(names.length)
    expect(new Set((await readdir(directory)).map((name) => name.toLowerCase())).size).toBe(names.length)
  })

  it('survive a crash at any point of a replacement', async () => {
    const store = sealedFile(directory)
    await store.replace(ring(1))
    // Before the link: a temporary file is left.
    await writeFile(join(directory, '.tokens.2.json.0011223344556677.tmp'), '{"half', { mode: 0o600 })
    expect(await store.read('tokens')).toEqual(ring(1))
    expect(await store.replace(ring(2))).toBe(true)
    // After the link, before the old version was emptied.
    await writeFile(join(directory, 'tokens.3.json'), JSON.stringify(ring(3)), { mode: 0o600 })
    expect(await store.read('tokens')).toEqual(ring(3))
    expect(await store.replace(ring(3))).toBe(false)
    const aged = new Date(Date.now() - 120_000)
    await utimes(join(directory, '.tokens.2.json.0011223344556677.tmp'), aged, aged)
    expect(await store.replace(ring(4))).toBe(true)
    for (const version of [1, 2, 3]) expect(await readFile(join(directory, `tokens.${version}.json`), 'utf8')).toBe('')
    expect((await readdir(directory)).filter((name) => name.endsWith('.tmp'))).toEqual([])
  })

  const refused: [why: string, make: (file: string) => Promise<unknown>, code: string][] = [
    ['others can read it', (file) => good(file).then(() => chmod(file, 0o644)), 'file_unsafe'],
    ['it is a symbolic link', (file) => good(`${file}-real`).then(() => symlink(`${file}-real`, file)), 'file_unsafe'],
    ['it is not JSON', (file) => writeFile(file, '{', { mode: 0o600 }), 'ring_invalid'],
    ['it is no ring', (file) => writeFile(file, '{}', { mode: 0o600 }), 'ring_invalid'],
    ['it is empty and the newest', (file) => writeFile(file, '', { mode: 0o600 }), 'ring_invalid'],
    ['it holds another version', (file) => writeFile(file, JSON.stringify(ring(8)), { mode: 0o600 }), 'ring_invalid'],
    [
      'it holds another ring',
      (file) => writeFile(file, JSON.stringify(ring(7, { name: 'feed' })), { mode: 0o600 }),
      'ring_invalid',
    ],
    [
      'it is larger than 4 MiB',
      (file) => writeFile(file, ' '.repeat(4 * 1024 * 1024 + 1), { mode: 0o600 }),
      'file_too_large',
    ],
  ]
  const good = (file: string): Promise<void> => writeFile(file, JSON.stringify(ring(7)), { mode: 0o600 })
  it.each(refused)('are refused when %s', async (_why, make, code) => {
    await mkdir(directory, { mode: 0o700 })
    await make(join(directory, 'tokens.7.json'))
    await expect(sealedFile(directory).read('tokens')).rejects.toMatchObject({ code })
  })

  it('are refused in a directory that others can reach', async () => {
    await mkdir(directory, { mode: 0o755 })
    await expect(sealedFile(directory).read('tokens')).rejects.toMatchObject({ code: 'file_unsafe' })
    await expect(sealedFile(directory).replace(ring(1))).rejects.toMatchObject({ code: 'file_unsafe' })
    await chmod(directory, 0o700)
    expect(await sealedFile(directory).replace(ring(1))).toBe(true)
  })
})

it('destroys private keys on disk, too', async () => {
  const clock = createFakeClock()
  const store = sealedFile(directory)
  const { ring: opened } = await openRing({ store, clock })
  const first = (await store.read('tokens'))?.keys[0]?.sealedPrivateKey ?? 'none'
  await clock.jump(3750)
  await opened.rotate()
  await clock.jump(2500)
  await opened.close()
  for (const name of await readdir(directory)) {
    expect(await readFile(join(directory, name), 'utf8')).not.toContain(first)
  }
})

describe('many processes', () => {
  it('that rotate at the same instant make one new key', async () => {
    const kekFile = join(root, 'kek')
    await createKekFile(kekFile)
    const children = Array.from({ length: 4 }, () => start('rotate-once.ts', directory, kekFile))
    try {
      const lines = children.map((child) => createInterface({ input: child.stdout })[Symbol.asyncIterator]())
      for (const line of lines) expect((await line.next()).value).toBe('ready')
      for (const child of children) child.stdin.write('go\n')
      const answers = await Promise.all(lines.map(async (line) => JSON.parse(String((await line.next()).value))))
      await Promise.all(children.map(ended))
      const document = await sealedFile(directory).read('tokens')
      expect(document?.keys.map(({ state }) => state)).toEqual(['active', 'published'])
      expect(new Set(answers.map(({ activeKid }) => activeKid))).toEqual(new Set([document?.keys[0]?.kid]))
      expect(new Set(answers.map(({ outcome }) => outcome.standbyKid))).toEqual(new Set([document?.keys[1]?.kid]))
    } finally {
      for (const child of children) child.kill('SIGKILL')
    }
  })
})

it('keeps what it acknowledged, and can be written to, after kill -9', async () => {
  for (let kill = 0; kill < 3; kill += 1) {
    const child = start('replace-on.ts', directory)
    let acknowledged = 0
    const enough = 5 + Math.floor(Math.random() * 20)
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Number(line)
      if (acknowledged % enough === 0) child.kill('SIGKILL')
    }
    await ended(child)
    const store = sealedFile(directory)
    const found = await store.read('tokens')
    expect(found?.version).toBeGreaterThanOrEqual(acknowledged)
    expect(await store.replace(ring((found?.version ?? 0) + 1))).toBe(true)
  }
})

function start(script: string, ...args: string[]): ChildProcessByStdio<Writable, Readable, null> {
  const path = new URL(`./processes/${script}`, import.meta.url).pathname
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', path, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else child.once('exit', () => resolve())
  })
}
