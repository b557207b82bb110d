import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createKekFile, isSealingError, kekFromFile, remedies, SealingError, sealingErrorCodes } from '../src/index.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'countersign-kek-'))
})
afterAll(() => rm(directory, { recursive: true }))

describe('createKekFile', () => {
  it('writes 32 random bytes as one base64url line, mode 0600', async () => {
    const path = join(directory, 'made')
    const made = await createKekFile(path)
    expect(await readFile(path, 'latin1')).toBe(`${Buffer.from(made.secret).toString('base64url')}\n`)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(made.secret).toHaveLength(32)
    expect(made.id).toMatch(/^[\w-]{16}$/)
    expect(await kekFromFile(path).current()).toEqual(made)
  })

  it('never writes over a file', async () => {
    const path = join(directory, 'kept')
    const first = await createKekFile(path)
    await expect(createKekFile(path)).rejects.toMatchObject({ code: 'file_exists' })
    expect(await kekFromFile(path).current()).toEqual(first)
  })

  it('does not show the secret in the id', async () => {
    const { id, secret } = await createKekFile(join(directory, 'shown'))
    expect(Buffer.from(secret).toString('base64url')).not.toContain(id)
  })
})

describe('kekFromFile', () => {
  const good = Buffer.alloc(32, 7).toString('base64url')
  const refused: [why: string, content: string][] = [
    ['is empty', ''],
    ['is too short', `${good.slice(1)}\n`],
    ['is too long', `${good}A\n`],
    ['has two newlines', `${good}\n\n`],
    ['has a carriage return', `${good}\r\n`],
    ['is padded', `${good}=\n`],
    ['is plain base64', `+/${good.slice(2)}\n`],
    ['has stray bits in its last character', `${good.slice(0, -1)}d\n`],
    ['has a leading space', ` ${good}\n`],
    ['is hexadecimal', `${Buffer.alloc(32, 7).toString('hex')}\n`],
  ]
  it.each(refused)('refuses a file that %s', async (_why, content) => {
    const path = join(directory, 'bad')
    await writeFile(path, content, { mode: 0o600 })
    const outcome = kekFromFile(path).current()
    await expect(outcome).rejects.toMatchObject({ code: 'kek_invalid' })
    await expect(outcome).rejects.not.toThrow(good)
  })

  it('takes a file without the final newline', async () => {
    const path = join(directory, 'bare')
    await writeFile(path, good, { mode: 0o600 })
    expect((await kekFromFile(path).current()).secret).toEqual(new Uint8Array(32).fill(7))
  })

  it('holds to the file rules', async () => {
    const path = join(directory, 'open')
    await createKekFile(path)
    await symlink(path, `${path}-link`)
    await expect(kekFromFile(`${path}-link`).current()).rejects.toMatchObject({ code: 'file_unsafe' })
    await chmod(path, 0o644)
    await expect(kekFromFile(path).current()).rejects.toMatchObject({ code: 'file_unsafe' })
    await expect(kekFromFile(`${path}-none`).current()).rejects.toMatchObject({ code: 'file_missing' })
  })

  it('finds the current key and earlier ones by their ids', async () => {
    const [now, before] = [join(directory, 'now'), join(directory, 'before')]
    const [current, previous] = [await createKekFile(now), await createKekFile(before)]
    const source = kekFromFile(now, { previous: [before] })
    expect(await source.current()).toEqual(current)
    expect(await source.find(current.id)).toEqual(current)
    expect(await source.find(previous.id)).toEqual(previous)
    expect(await source.find('unheard-of')).toBeUndefined()
  })
})

describe('SealingError', () => {
  it('has a remedy for every code, and is known from another copy of the package', () => {
    for (const code of sealingErrorCodes) {
      expect(new SealingError(code, 'x').remedy).toBe(remedies[code])
      expect(remedies[code].length).toBeGreaterThan(20)
    }
    expect(isSealingError(Object.assign(new Error('x'), { name: 'SealingError', code: 'kek_invalid' }))).toBe(true)
    expect(isSealingError(Object.assign(new Error('x'), { name: 'SealingError', code: 'toString' }))).toBe(false)
    expect(isSealingError({ name: 'SealingError', code: 'kek_invalid' })).toBe(false)
  })
})
