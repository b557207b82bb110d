import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKekFile, kekFromFile } from '@countersign/sealing'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CredentialStore, maxSecretBytes, openCredentials } from '../src/index.ts'
import { memoryCredentialStore } from '../src/testing.ts'
import { bytes, failureOf, kekOf, kekSource, opened, text } from './fixture.ts'

describe('credentials', () => {
  it('give back what was put, to its owner under its name alone', async () => {
    const { credentials } = await opened()
    const ada = credentials.of('ada')
    expect(await ada.put('github', bytes('ghp_1'))).toEqual({
      name: 'github',
      version: 1,
      createdAt: 1_800_000_000,
      updatedAt: 1_800_000_000,
    })
    expect(text(await ada.get('github'))).toBe('ghp_1')
    expect(await ada.get('gitlab')).toBeUndefined()
    expect(await credentials.of('bob').get('github')).toBeUndefined()
  })

  it('any bytes, any lawful names', async () => {
    const { credentials } = await opened()
    const names = fc.stringMatching(/^[\p{L}\p{N}][\p{L}\p{N}._@:+-]{0,40}$/u).map((one) => one.normalize('NFC'))
    await fc.assert(
      fc.asyncProperty(names, names, fc.uint8Array({ maxLength: 2_000 }), async (owner, name, secret) => {
        await credentials.of(owner).put(name, secret)
        expect(await credentials.of(owner).get(name)).toEqual(Buffer.from(secret))
      }),
      { numRuns: 200 },
    )
  })

  it('count versions, keep when they were made, and list no secrets', async () => {
    let now = 1_800_000_000
    const { credentials, store } = await opened({ now: () => now })
    const ada = credentials.of('ada')
    await ada.put('zulip', bytes('z'))
    await ada.put('github', bytes('first'))
    now += 60
    await ada.put('github', bytes('second'))
    expect(await ada.list()).toEqual([
      { name: 'github', version: 2, createdAt: 1_800_000_000, updatedAt: 1_800_000_060 },
      { name: 'zulip', version: 1, createdAt: 1_800_000_000, updatedAt: 1_800_000_000 },
    ])
    expect(text(await ada.get('github'))).toBe('second')
    expect(JSON.stringify(await store.page(undefined, 10))).not.toMatch(/first|second/u)
  })

  it('remove', async () => {
    const { credentials } = await opened()
    const ada = credentials.of('ada')
    await ada.put('github', bytes('x'))
    expect([await ada.remove('github'), await ada.remove('github'), await ada.get('github')]).toEqual([
      true,
      false,
      undefined,
    ])
  })

  it('seal the same secret differently each time', async () => {
    const { credentials, store } = await opened()
    const seen = new Set<string>()
    for (let turn = 0; turn < 50; turn += 1) {
      await credentials.of('ada').put('github', bytes('same'))
      const sealed = (await store.read({ owner: 'ada', name: 'github' }))?.sealed ?? ''
      expect(sealed).toMatch(/^v1\.kek-1\.[\w-]{80}\.[\w-]{16}\.[\w-]{27}$/u)
      for (const part of sealed.split('.').slice(2)) seen.add(part)
    }
    expect(seen.size).toBe(150)
  })

  it('ask the key-encryption key once for records that were used lately', async () => {
    const kek = kekSource(kekOf('kek-1', 1))
    const { credentials, store } = await opened({ kek })
    await credentials.of('ada').put('github', bytes('x'))
    const again = await openCredentials({ store, kek })
    for (let turn = 0; turn < 5; turn += 1) expect(text(await again.of('ada').get('github'))).toBe('x')
    expect(kek.asked).toBe(1)
    const forgetful = await openCredentials({ store, kek, heldDataKeys: 0 })
    for (let turn = 0; turn < 5; turn += 1) expect(text(await forgetful.of('ada').get('github'))).toBe('x')
    expect(kek.asked).toBe(2)
  })

  it('hand out bytes of the caller’s own', async () => {
    const { credentials } = await opened()
    const ada = credentials.of('ada')
    await ada.put('github', bytes('secret'))
    const first = await ada.get('github')
    first?.fill(0)
    expect(text(await ada.get('github'))).toBe('secret')
  })

  it('close', async () => {
    const { credentials } = await opened()
    const ada = credentials.of('ada')
    credentials.close()
    for (const work of [ada.get('x'), ada.put('x', bytes('y')), ada.list(), ada.remove('x'), credentials.rewrap()]) {
      expect(await failureOf(work)).toMatchObject({ code: 'closed' })
    }
  })

  it('work with a key in a file', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'countersign-credentials-'))
    try {
      await createKekFile(join(directory, 'kek'))
      const { credentials } = await opened({ kek: kekFromFile(join(directory, 'kek')) })
      await credentials.of('ada').put('github', bytes('x'))
      expect(text(await credentials.of('ada').get('github'))).toBe('x')
    } finally {
      await rm(directory, { recursive: true, force: true })
    }
  })

  it('work with a key that travels wrapped', async () => {
    const kek = { ...kekOf('kek-w', 7), wrapped: 'vault:v1:q/abc+=' }
    const asked: unknown[] = []
    const source = {
      current: async () => kek,
      async find(id: string, wrapped?: string) {
        asked.push([id, wrapped])
        return wrapped === kek.wrapped ? kek : undefined
      },
    }
    const { credentials, store } = await opened({ kek: source })
    await credentials.of('ada').put('github', bytes('x'))
    const again = await openCredentials({ store, kek: source })
    expect(text(await again.of('ada').get('github'))).toBe('x')
    expect(asked).toEqual([['kek-w', 'vault:v1:q/abc+=']])
  })
})

describe('a name', () => {
  const bad = [
    '',
    '.',
    '..',
    '../etc/passwd',
    '/etc/passwd',
    'a/b',
    'a\\b',
    'C:\\x',
    'a\0b',
    'a\nb',
    'a\u001b[31m',
    ' a',
    'a ',
  ]
  const unusual = ['a\u202eb', 'a\u200bb', 'e\u0301', 'x'.repeat(257), '\ud800', 'a\u00a0b']
  it.each([...bad, ...unusual])('%j is refused, as an owner and as a name, and nothing is stored', async (name) => {
    const { credentials, store } = await opened()
    const refused = expect.objectContaining({ code: 'name_invalid' })
    expect(() => credentials.of(name)).toThrow(refused)
    const ada = credentials.of('ada')
    for (const work of [ada.put(name, bytes('x')), ada.get(name), ada.remove(name)])
      expect(await failureOf(work)).toEqual(refused)
    expect(await store.page(undefined, 1)).toEqual([])
  })

  it.each([
    'x'.repeat(256),
    'ada@example.com',
    'my key',
    'prod:github',
    'Ålesund',
    '...',
    '-rf',
    '🔑',
    '__proto__',
    'constructor',
  ])('%j is fine', async (name) => {
    const { credentials } = await opened()
    await credentials.of(name).put(name, bytes('x'))
    expect(text(await credentials.of(name).get(name))).toBe('x')
  })

  it('that is no text is refused', async () => {
    const { credentials } = await opened()
    for (const name of [undefined, null, 7, {}, ['ada']]) {
      expect(() => credentials.of(name as never)).toThrow(expect.objectContaining({ code: 'name_invalid' }))
    }
  })
})

describe('a limit', () => {
  it('of bytes holds to the byte', async () => {
    const { credentials } = await opened()
    const ada = credentials.of('ada')
    await ada.put('large', new Uint8Array(maxSecretBytes))
    expect(await ada.get('large')).toHaveLength(maxSecretBytes)
    expect(await failureOf(ada.put('large', new Uint8Array(maxSecretBytes + 1)))).toMatchObject({
      code: 'data_too_large',
    })
    await ada.put('empty', new Uint8Array(0))
    expect(await ada.get('empty')).toHaveLength(0)
  })

  it('is of bytes: what is something else is refused', async () => {
    const { credentials, store } = await opened()
    for (const secret of ['text', undefined, null, [1, 2], new ArrayBuffer(2), { length: 2 }]) {
      expect(await failureOf(credentials.of('ada').put('x', secret as never))).toBeInstanceOf(TypeError)
    }
    expect(await store.page(undefined, 1)).toEqual([])
  })

  it('of credentials is an owner’s own; writing over one is not one more', async () => {
    const { credentials } = await opened({ maxPerOwner: 2 })
    const ada = credentials.of('ada')
    await ada.put('one', bytes('1'))
    await ada.put('two', bytes('2'))
    expect(await failureOf(ada.put('three', bytes('3')))).toMatchObject({ code: 'too_many' })
    await ada.put('two', bytes('2b'))
    await credentials.of('bob').put('one', bytes('1'))
    await ada.remove('one')
    await ada.put('three', bytes('3'))
    expect((await ada.list()).map(({ name }) => name)).toEqual(['three', 'two'])
  })

  it.each([
    { maxPerOwner: 0 },
    { maxPerOwner: 1_000_001 },
    { maxPerOwner: 1.5 },
    { heldDataKeys: -1 },
    { heldDataKeys: 1_000_001 },
  ])('%j is out of bounds', async (options) => {
    expect(await failureOf(opened(options))).toBeInstanceOf(RangeError)
  })
})

describe('writers of the same credential', () => {
  it('all succeed, each with a version of its own', async () => {
    const { credentials, store } = await opened()
    const other = await openCredentials({ store, kek: kekSource(kekOf('kek-1', 1)) })
    const turns = Array.from({ length: 8 }, (_, at) =>
      (at % 2 === 0 ? credentials : other).of('ada').put('x', bytes(`${at}`)),
    )
    const versions = (await Promise.all(turns)).map(({ version }) => version)
    expect(versions.sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(text(await credentials.of('ada').get('x'))).toMatch(/^[0-7]$/u)
  })

  it('that never come through are told', async () => {
    const inner = memoryCredentialStore()
    const store: CredentialStore = { ...inner, replace: async () => false }
    const { credentials } = await opened({ store })
    expect(await failureOf(credentials.of('ada').put('x', bytes('y')))).toMatchObject({ code: 'contended' })
  })
})
