import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createKekFile,
  type KekSource,
  kekFromCredential,
  kekFromFile,
  kekFromValue,
  kekFromWrapper,
  keks,
  open,
  reseal,
  type SealingEvent,
  seal,
  sealedWith,
} from '../src/index.ts'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'countersign-keks-'))
})
afterAll(() => rm(directory, { recursive: true }))

const text = (byte: number): string => Buffer.alloc(32, byte).toString('base64url')
const quiet = { onEvent: () => {} }
const fromValue = (byte: number): KekSource => kekFromValue(text(byte), quiet)
const place = { contentType: 'text/plain', context: { owner: 'ada' } }
const secret = new TextEncoder().encode('secret')

describe('kekFromCredential', () => {
  async function credential(name: string, mode: number, content = `${text(7)}\n`): Promise<KekSource> {
    await writeFile(join(directory, name), content)
    await chmod(join(directory, name), mode)
    return kekFromCredential(name, { directory })
  }

  it('reads what systemd gives a service: 0400', async () => {
    const kek = await credential('outright', 0o400)
    const { id } = await kek.current()
    expect((await kek.find(id))?.id).toBe(id)
    expect(id).toBe((await fromValue(7).current()).id)
    expect(await kek.find('another')).toBeUndefined()
  })

  // With an access list the mask shows as the group's bits; the file is root's then.
  it('reads 0440 of root only', async () => {
    const kek = await credential('listed', 0o440)
    if (process.getuid?.() === 0) expect(await kek.current()).toBeDefined()
    else await expect(kek.current()).rejects.toMatchObject({ code: 'file_unsafe' })
  })

  it.each([0o600, 0o444, 0o404, 0o460, 0o640])('refuses mode %o', async (mode) => {
    const kek = await credential(`mode-${mode}`, mode)
    await expect(kek.current()).rejects.toMatchObject({ code: 'file_unsafe' })
  })

  it('refuses what is no key, no file, and a link', async () => {
    await expect((await credential('bad', 0o400, 'x')).current()).rejects.toMatchObject({ code: 'kek_invalid' })
    await symlink(join(directory, 'outright'), join(directory, 'link'))
    const read = (name: string): Promise<unknown> => kekFromCredential(name, { directory }).current()
    await expect(read('link')).rejects.toMatchObject({ code: 'file_unsafe' })
    await expect(read('none')).rejects.toMatchObject({ code: 'file_missing' })
    await mkdir(join(directory, 'folder'))
    await expect(read('folder')).rejects.toMatchObject({ code: 'file_unsafe' })
  })

  it.each(['', '..', '.', 'a/b', '../kek', 'a\0b', 'x'.repeat(256)])('refuses the name %j', (name) => {
    expect(() => kekFromCredential(name, { directory })).toThrow(
      expect.objectContaining({ code: 'credential_invalid' }),
    )
  })

  it.each([undefined, '', 'relative'])('refuses the directory %j', (where) => {
    expect(() => kekFromCredential('kek', { directory: where })).toThrow(
      expect.objectContaining({ code: 'credential_invalid' }),
    )
  })
})

describe('kekFromValue', () => {
  it('is the key of the text, and warns', async () => {
    const events: SealingEvent[] = []
    const kek = kekFromValue(text(7), { onEvent: (event) => events.push(event) })
    const { id, secret } = await kek.current()
    expect(events).toEqual([{ type: 'kek.exposed', kekId: id }])
    expect(JSON.stringify(events)).not.toContain(text(7))
    secret.fill(0)
    expect((await kek.find(id))?.secret).toEqual(new Uint8Array(32).fill(7))
    expect(await kek.find('another')).toBeUndefined()
  })

  it.each(['', 'short', `${text(7)}=`, ` ${text(7)}`, `${text(7)}${text(7)}`])(
    'refuses %j without showing it',
    (value) => {
      let thrown: unknown
      try {
        kekFromValue(value, quiet)
      } catch (error) {
        thrown = error
      }
      expect(thrown).toMatchObject({ code: 'kek_invalid', message: 'the value does not hold a key-encryption key' })
    },
  )
})

describe('keks', () => {
  it('seals with the first and opens with any, whatever their kind', async () => {
    const file = join(directory, 'first')
    await createKekFile(file)
    const sealed = await seal(secret, { ...place, kek: fromValue(1) })
    const both = keks(kekFromFile(file), fromValue(1))
    expect(await open(sealed, { ...place, kek: both })).toEqual(secret)
    expect(sealedWith(await seal(secret, { ...place, kek: both }))).toBe((await kekFromFile(file).current()).id)
  })

  it('passes over a source that fails while another has the key, and tells of it when none has', async () => {
    const gone = kekFromFile(join(directory, 'gone'))
    const sealed = await seal(secret, { ...place, kek: fromValue(1) })
    expect(await open(sealed, { ...place, kek: keks(fromValue(2), gone, fromValue(1)) })).toEqual(secret)
    await expect(open(sealed, { ...place, kek: keks(fromValue(2), gone) })).rejects.toMatchObject({
      code: 'file_missing',
    })
    await expect(open(sealed, { ...place, kek: keks(fromValue(2), fromValue(3)) })).rejects.toMatchObject({
      code: 'kek_unknown',
    })
  })
})

describe('reseal', () => {
  it('moves values to the current key in any order, as often as one likes, and then the old key may go', async () => {
    const values = await Promise.all(
      Array.from({ length: 20 }, (_, index) => seal(Uint8Array.of(index), { ...place, kek: fromValue(1) })),
    )
    const both = keks(fromValue(2), fromValue(1))
    // Cut off half way, and begun again.
    for (const index of [3, 1, 4, 15, 9, 2, 6]) {
      values[index] = await reseal(values[index] ?? '', { ...place, kek: both })
    }
    const half = [...values]
    for (const [index, value] of values.entries()) values[index] = await reseal(value, { ...place, kek: both })
    for (const index of [3, 1, 4, 15, 9, 2, 6]) expect(values[index]).toBe(half[index])
    for (const [index, value] of values.entries()) {
      expect(await open(value, { ...place, kek: fromValue(2) })).toEqual(Uint8Array.of(index))
    }
  })

  it('checks what it does not seal anew, too', async () => {
    const sealed = await seal(secret, { ...place, kek: fromValue(1) })
    const elsewhere = { kek: fromValue(1), contentType: 'text/plain', context: { owner: 'eve' } }
    await expect(reseal(sealed, elsewhere)).rejects.toMatchObject({ code: 'sealed_elsewhere' })
    await expect(reseal(`${sealed.slice(0, -2)}AA`, { ...place, kek: fromValue(1) })).rejects.toMatchObject({
      code: 'sealed_not_authentic',
    })
  })
})

describe('kekFromWrapper', () => {
  /** A service that wraps by table. */
  function service() {
    const keys = new Map<string, Uint8Array>()
    const calls: string[] = []
    let isUp = true
    return {
      calls,
      keys,
      setUp: (up: boolean) => {
        isUp = up
      },
      async generate() {
        calls.push('generate')
        if (!isUp) throw new Error('away')
        const wrapped = `wrapped:v1:${keys.size}`
        const made = crypto.getRandomValues(new Uint8Array(32))
        keys.set(wrapped, made)
        return { secret: Uint8Array.from(made), wrapped }
      },
      async unwrap(wrapped: string) {
        calls.push(`unwrap ${wrapped}`)
        const key = keys.get(wrapped)
        if (!isUp || key === undefined) throw new Error('away')
        return Uint8Array.from(key)
      },
    }
  }

  it('lets any process open what another one sealed, by what travels in the header', async () => {
    const wrapper = service()
    const [one, other] = [kekFromWrapper(wrapper), kekFromWrapper(wrapper)]
    const sealed = await Promise.all(Array.from({ length: 5 }, () => seal(secret, { ...place, kek: one })))
    for (const value of sealed) {
      expect(await open(value, { ...place, kek: one })).toEqual(secret)
      expect(await open(value, { ...place, kek: other })).toEqual(secret)
    }
    expect(wrapper.calls).toEqual(['generate', 'unwrap wrapped:v1:0'])
    for (const value of sealed) {
      for (const key of wrapper.keys.values()) expect(value).not.toContain(Buffer.from(key).toString('base64url'))
    }
  })

  it('goes on opening what it has opened while the service is away, and asks again after a failure', async () => {
    const wrapper = service()
    const sealed = await seal(secret, { ...place, kek: kekFromWrapper(wrapper) })
    const kek = kekFromWrapper(wrapper)
    wrapper.setUp(false)
    await expect(open(sealed, { ...place, kek })).rejects.toThrow('away')
    await expect(seal(secret, { ...place, kek })).rejects.toThrow('away')
    wrapper.setUp(true)
    expect(await open(sealed, { ...place, kek })).toEqual(secret)
    wrapper.setUp(false)
    expect(await open(sealed, { ...place, kek })).toEqual(secret)
  })

  it('refuses what is not the key that it asked for', async () => {
    const wrapper = service()
    const sealed = await seal(secret, { ...place, kek: kekFromWrapper(wrapper) })
    wrapper.keys.set('wrapped:v1:0', new Uint8Array(32))
    await expect(open(sealed, { ...place, kek: kekFromWrapper(wrapper) })).rejects.toMatchObject({
      code: 'kek_unwrapped_wrong',
    })
    const short = kekFromWrapper({ ...wrapper, generate: async () => ({ secret: new Uint8Array(16), wrapped: 'w' }) })
    await expect(short.current()).rejects.toMatchObject({ code: 'kek_invalid' })
    const long = 'w'.repeat(1025)
    const talkative = kekFromWrapper({
      ...wrapper,
      generate: async () => ({ secret: new Uint8Array(32), wrapped: long }),
    })
    await expect(talkative.current()).rejects.toMatchObject({ code: 'kek_invalid' })
  })

  it('knows nothing of values that other sources sealed', async () => {
    const sealed = await seal(secret, { ...place, kek: fromValue(1) })
    const kek = kekFromWrapper(service())
    await expect(open(sealed, { ...place, kek })).rejects.toMatchObject({ code: 'kek_unknown' })
    const moved = await reseal(sealed, { ...place, kek: keks(kek, fromValue(1)) })
    expect(await open(moved, { ...place, kek })).toEqual(secret)
  })
})
