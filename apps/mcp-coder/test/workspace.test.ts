import { spawnSync } from 'node:child_process'
import { chmod, link, mkdir, readdir, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { FaultReason } from '../src/workspace/fault.ts'
import { bob, later, openBench, secret } from './fixtures.ts'

describe('a workspace', () => {
  it('gives back what was written, makes folders on the way, and knows what is new', async () => {
    const { within } = await openBench()
    expect(await within((ws) => ws.writeFile('src/deep/main.py', 'one\ntwo\n'))).toEqual({ bytes: 8, isNew: true })
    expect(await within((ws) => ws.writeFile('./src/deep/main.py', 'one\ntwo\nthree'))).toMatchObject({ isNew: false })
    expect(await within((ws) => ws.readFile('src/deep/main.py'))).toEqual({
      text: 'one\ntwo\nthree',
      fromLine: 1,
      totalLines: 3,
      isCut: false,
    })
    expect(await within((ws) => ws.readFile('src/deep/main.py', { fromLine: 2, lines: 1 }))).toMatchObject({
      text: 'two',
      isCut: true,
    })
  })

  it('lists to the depth that was asked for, links as links', async () => {
    const { within, inside, outside } = await openBench()
    await within((ws) => ws.writeFile('a/b/c.txt', 'c'))
    await within((ws) => ws.writeFile('z.txt', 'zz'))
    await symlink(outside, join(inside, 'way-out'))
    expect((await within((ws) => ws.listFiles('.', 1))).entries).toEqual([
      { path: 'a', type: 'folder' },
      { path: 'way-out', type: 'link' },
      { path: 'z.txt', type: 'file', bytes: 2 },
    ])
    expect((await within((ws) => ws.listFiles('a', 16))).entries.map(({ path }) => path)).toEqual(['a/b', 'a/b/c.txt'])
    expect(JSON.stringify(await within((ws) => ws.listFiles('.', 16)))).not.toContain('secret')
  })

  it('finds words as they are, in text only, and follows no link', async () => {
    const { within, inside, outside } = await openBench()
    await within((ws) => ws.writeFile('a.txt', 'Nothing here\nfind (me) here\n'))
    await within((ws) => ws.writeFile('sub/b.txt', 'Find (me) too'))
    await writeFile(join(inside, 'binary'), Buffer.from('find (me)\0'))
    await symlink(outside, join(inside, 'way-out'))
    await symlink(join(outside, 'secret'), join(inside, 'link'))
    expect(await within((ws) => ws.search('find (me)'))).toEqual({
      matches: [{ path: 'a.txt', line: 2, text: 'find (me) here' }],
      isCut: false,
    })
    expect((await within((ws) => ws.search('FIND (me)', { ignoreCase: true }))).matches).toHaveLength(2)
    expect((await within((ws) => ws.search('FIND', { ignoreCase: true, path: 'sub' }))).matches).toHaveLength(1)
    expect((await within((ws) => ws.search('nobody'))).matches).toEqual([])
    const stopped = AbortSignal.abort()
    await expect(within((ws) => ws.search('find', { signal: stopped }))).rejects.toThrow()
  })

  it('removes files, links as such, and empty folders', async () => {
    const { within, inside, outside } = await openBench()
    await within((ws) => ws.writeFile('a/b.txt', 'b'))
    await symlink(outside, join(inside, 'way-out'))
    await expect(within((ws) => ws.remove('a'))).rejects.toMatchObject({ reason: 'not_empty' })
    await within((ws) => ws.remove('a/b.txt'))
    await within((ws) => ws.remove('a'))
    await within((ws) => ws.remove('way-out'))
    await expect(within((ws) => ws.remove('a'))).rejects.toMatchObject({ reason: 'not_found' })
    expect(await readdir(inside)).toEqual([])
    expect(await readFile(join(outside, 'secret'), 'utf8')).toBe(secret)
  })

  it('belongs to one subject of one issuer', async () => {
    const { workspaces, within } = await openBench()
    await within((ws) => ws.writeFile('mine.txt', 'of Ada'))
    const notFound = { reason: 'not_found' }
    await expect(workspaces.within(bob, (ws) => ws.readFile('mine.txt'))).rejects.toMatchObject(notFound)
    const namesake = { issuer: 'https://elsewhere.example.com', subject: 'user_ada' }
    await expect(workspaces.within(namesake, (ws) => ws.readFile('mine.txt'))).rejects.toMatchObject(notFound)
  })

  it('is for this user of the machine alone, and keeps whether a file may be run', async () => {
    const { within, inside } = await openBench()
    await within((ws) => ws.writeFile('a/run.sh', 'true'))
    expect((await stat(inside)).mode & 0o777).toBe(0o700)
    expect((await stat(join(inside, 'a'))).mode & 0o777).toBe(0o700)
    expect((await stat(join(inside, 'a/run.sh'))).mode & 0o777).toBe(0o600)
    await chmod(join(inside, 'a/run.sh'), 0o755)
    await within((ws) => ws.writeFile('a/run.sh', 'false'))
    expect((await stat(join(inside, 'a/run.sh'))).mode & 0o777).toBe(0o700)
  })
})

const hostile: [why: string, path: string, reason: FaultReason][] = [
  ['goes up', '../outside/secret', 'bad_path'],
  ['goes up in the middle', 'a/../../outside/secret', 'bad_path'],
  ['is absolute', '/etc/passwd', 'bad_path'],
  ['is absolute twice', '//etc/passwd', 'bad_path'],
  ['has an empty part', 'a//b', 'bad_path'],
  ['has a part that stays', 'a/./b', 'bad_path'],
  ['has a NUL', 'a\0b', 'bad_path'],
  ['has a newline', 'a\nb', 'bad_path'],
  ['turns writing around', 'a\u202Etxt.exe', 'bad_path'],
  ['has half a character', 'a\uD800', 'bad_path'],
  ['is for another system', 'a\\..\\b', 'bad_path'],
  ['is too long', 'a/'.repeat(600), 'bad_path'],
  ['has a name that is too long', 'ä'.repeat(128), 'bad_path'],
  ['goes too deep', `${'a/'.repeat(17)}b`, 'bad_path'],
  ['is the workspace itself', '.', 'not_a_file'],
  ['ends in a slash', 'file/', 'not_a_file'],
  ['is a folder', 'folder', 'not_a_file'],
  ['goes through a file', 'file/x', 'not_a_folder'],
  ['goes through a link to a folder outside', 'to-outside/secret', 'not_a_folder'],
  ['goes through a link to a folder inside', 'to-folder/x', 'not_a_folder'],
  ['is a link to a file outside', 'to-secret', 'a_link'],
  ['is a link to a file inside', 'to-file', 'a_link'],
  ['is a link to nothing', 'to-nothing', 'a_link'],
  ['is a FIFO', 'fifo', 'not_a_file'],
  ['is a socket', 'socket', 'not_a_file'],
]

async function plant(inside: string, outside: string): Promise<void> {
  await writeFile(join(inside, 'file'), 'inside')
  await mkdir(join(inside, 'folder'))
  await symlink(outside, join(inside, 'to-outside'))
  await symlink('folder', join(inside, 'to-folder'))
  await symlink(join(outside, 'secret'), join(inside, 'to-secret'))
  await symlink('file', join(inside, 'to-file'))
  await symlink(join(outside, 'nothing'), join(inside, 'to-nothing'))
  expect(spawnSync('mkfifo', [join(inside, 'fifo')]).status).toBe(0)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(join(inside, 'socket'), resolve))
  later(() => new Promise((resolve) => server.close(resolve)))
}

describe('a path', () => {
  it('that is hostile is neither read nor written', async () => {
    const { within, inside, outside } = await openBench()
    await plant(inside, outside)
    for (const [why, path, reason] of hostile) {
      await expect(
        within((ws) => ws.readFile(path)),
        `read: ${why}`,
      ).rejects.toMatchObject({ reason })
      await expect(
        within((ws) => ws.writeFile(path, 'x')),
        `write: ${why}`,
      ).rejects.toMatchObject({ reason })
    }
    expect(await readdir(outside)).toEqual(['deeper', 'secret'])
    expect(await readFile(join(outside, 'secret'), 'utf8')).toBe(secret)
  })

  it.each(['../outside', '/etc', 'to-outside', 'to-outside/deeper', 'to-folder', 'fifo'])(
    'to nowhere is not listed, searched or removed through: %s',
    async (path) => {
      const { within, inside, outside } = await openBench()
      await plant(inside, outside)
      const refused = { name: 'WorkspaceFault' }
      await expect(within((ws) => ws.listFiles(path, 1))).rejects.toMatchObject(refused)
      await expect(within((ws) => ws.search('nobody', { path }))).rejects.toMatchObject(refused)
      await expect(within((ws) => ws.remove(`${path}/secret`))).rejects.toMatchObject(refused)
    },
  )

  it('to a file with another name elsewhere is not read, and writing leaves the other one alone', async () => {
    const { within, inside, outside } = await openBench()
    await link(join(outside, 'secret'), join(inside, 'shared'))
    await expect(within((ws) => ws.readFile('shared'))).rejects.toMatchObject({ reason: 'shared' })
    await within((ws) => ws.writeFile('shared', 'mine'))
    expect(await readFile(join(outside, 'secret'), 'utf8')).toBe(secret)
    expect(await within((ws) => ws.readFile('shared'))).toMatchObject({ text: 'mine' })
  })

  it.runIf(process.getuid?.() === 0)('to a device wakes nothing', async () => {
    const { within, inside } = await openBench()
    expect(spawnSync('mknod', [join(inside, 'zero'), 'c', '1', '5']).status).toBe(0)
    await expect(within((ws) => ws.readFile('zero'))).rejects.toMatchObject({ reason: 'not_a_file' })
    await expect(within((ws) => ws.writeFile('zero', 'x'))).rejects.toMatchObject({ reason: 'not_a_file' })
  })
})

describe('a limit', () => {
  it('on the bytes of a file, read or written', async () => {
    const { within, inside } = await openBench({ fileBytes: 10 })
    await within((ws) => ws.writeFile('ten', '0123456789'))
    await expect(within((ws) => ws.writeFile('eleven', '0123456789a'))).rejects.toMatchObject({ reason: 'too_large' })
    await expect(within((ws) => ws.writeFile('eleven', 'äääääa'))).rejects.toMatchObject({ reason: 'too_large' })
    await writeFile(join(inside, 'eleven'), '0123456789a')
    await expect(within((ws) => ws.readFile('eleven'))).rejects.toMatchObject({ reason: 'too_large' })
    await truncate(join(inside, 'eleven'), 2 ** 40)
    await expect(within((ws) => ws.readFile('eleven'))).rejects.toMatchObject({ reason: 'too_large' })
  })

  it('on the bytes of a workspace', async () => {
    const { within } = await openBench({ totalBytes: 20_000 })
    await within((ws) => ws.writeFile('a', 'x'.repeat(8_000)))
    await within((ws) => ws.writeFile('b', 'x'.repeat(8_000)))
    await expect(within((ws) => ws.writeFile('c', 'x'.repeat(8_000)))).rejects.toMatchObject({ reason: 'full' })
    await within((ws) => ws.remove('a'))
    await within((ws) => ws.writeFile('c', 'x'.repeat(8_000)))
  })

  it('on the files and folders of a workspace', async () => {
    const { within } = await openBench({ entries: 3 })
    await within((ws) => ws.writeFile('a/b', ''))
    await within((ws) => ws.writeFile('c', ''))
    await expect(within((ws) => ws.writeFile('d', ''))).rejects.toMatchObject({ reason: 'full' })
  })

  it('on folders in folders, which take no more of our descriptors than that', async () => {
    const { within, inside } = await openBench()
    const open = async () => (await readdir('/proc/self/fd')).length
    const before = await open()
    await mkdir(join(inside, 'd/'.repeat(64)), { recursive: true })
    await within((ws) => ws.writeFile('a', ''))
    await mkdir(join(inside, 'd/'.repeat(600)), { recursive: true })
    let most = 0
    let isOver = false
    const watched = (async () => {
      while (!isOver) most = Math.max(most, await open())
    })()
    await expect(within((ws) => ws.writeFile('a', ''))).rejects.toMatchObject({ reason: 'full' })
    isOver = true
    await watched
    expect(most - before).toBeLessThan(200)
  })

  it('on workspaces', async () => {
    const { workspaces } = await openBench({ workspaces: 2 })
    await workspaces.within(bob, (ws) => ws.writeFile('a', ''))
    const third = { ...bob, subject: 'user_eve' }
    const full = { reason: 'too_many_workspaces' }
    await expect(workspaces.within(third, (ws) => ws.writeFile('a', ''))).rejects.toMatchObject(full)
    await workspaces.within(bob, (ws) => ws.writeFile('b', ''))
  })

  it('on what is read at once, in lines and in characters', async () => {
    const { within } = await openBench({ lines: 2, textLength: 5 })
    await within((ws) => ws.writeFile('a', 'aa\nbb\ncc\n'))
    expect(await within((ws) => ws.readFile('a', { lines: 99 }))).toMatchObject({ text: 'aa\nbb', isCut: true })
    await within((ws) => ws.writeFile('a', 'aaaaaaaaa'))
    expect(await within((ws) => ws.readFile('a'))).toMatchObject({ text: 'aaaaa', isCut: true })
  })

  it('on what is listed and found', async () => {
    const { within } = await openBench({ listed: 2, matches: 2 })
    for (const name of ['a', 'b', 'c']) await within((ws) => ws.writeFile(name, 'word\nword'))
    expect(await within((ws) => ws.listFiles('.', 1))).toMatchObject({ entries: { length: 2 }, isCut: true })
    expect(await within((ws) => ws.search('word'))).toMatchObject({ matches: { length: 2 }, isCut: true })
  })

  it('on the bytes that a search reads', async () => {
    const { within } = await openBench({ searchedBytes: 5_000 })
    for (const name of ['a', 'b', 'c', 'd']) await within((ws) => ws.writeFile(name, 'x'.repeat(4_000)))
    expect(await within((ws) => ws.search('word'))).toEqual({ matches: [], isCut: true })
  })
})

it('says that bytes are no text', async () => {
  const { within, inside } = await openBench()
  await writeFile(join(inside, 'latin1'), Buffer.from([0x66, 0xfc, 0x72]))
  await writeFile(join(inside, 'nul'), Buffer.from([0x66, 0, 0x72]))
  for (const name of ['latin1', 'nul']) {
    await expect(within((ws) => ws.readFile(name))).rejects.toMatchObject({ reason: 'not_text' })
  }
})
