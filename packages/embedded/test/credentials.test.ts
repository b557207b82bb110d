import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { createKekFile, kekFromFile, keks } from '@countersign/sealing'
import { expect, it, onTestFinished } from 'vitest'
import { surroundings } from './fixture.ts'

const around = surroundings()
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const textOf = (data: Uint8Array | null): string | undefined =>
  data === null ? undefined : Buffer.from(data).toString()

it('keeps a secret under its name, and gives it back in bytes of the caller’s own', async () => {
  const auth = await around.open()
  expect(await auth.getCredential('github')).toBeNull()
  await auth.storeCredential('github', bytes('ghp_1'))
  await auth.storeCredential('github', bytes('ghp_2'))
  const found = await auth.getCredential('github')
  expect(textOf(found)).toBe('ghp_2')
  found?.fill(0)
  expect(textOf(await auth.getCredential('github'))).toBe('ghp_2')
})

it('keeps the secrets of owners apart', async () => {
  const auth = await around.open()
  await auth.storeCredential('github', bytes('of the module'))
  await auth.credentials('ada').put('github', bytes('of ada'))
  expect(textOf(await auth.getCredential('github'))).toBe('of the module')
  expect(textOf((await auth.credentials('ada').get('github')) ?? null)).toBe('of ada')
  expect(await auth.credentials('grace').list()).toEqual([])
  expect(await auth.credentials('module').remove('github')).toBe(true)
  expect(await auth.getCredential('github')).toBeNull()
})

it('writes nothing of a secret to the disk in plain', async () => {
  const auth = await around.open()
  await auth.storeCredential('github', bytes('a-secret-that-can-be-found'))
  await auth.users.add('ada', 'a-password-that-can-be-found')
  const { secret } = await auth.apiKeys.create('ci')
  for (const name of await readdir(around.dataDir)) {
    const content = await readFile(join(around.dataDir, name), 'latin1')
    for (const plain of ['can-be-found', secret]) expect(content.includes(plain), name).toBe(false)
  }
})

it('refuses what is no name, and what is no secret', async () => {
  const auth = await around.open()
  for (const name of ['', '..', '../../etc/passwd', 'a/b', 'a\0b', 'a'.repeat(257)]) {
    await expect(auth.storeCredential(name, bytes('x')), name).rejects.toMatchObject({ code: 'name_invalid' })
    await expect(auth.getCredential(name), name).rejects.toMatchObject({ code: 'name_invalid' })
    expect(() => auth.credentials(name), name).toThrow()
  }
  const large = new Uint8Array(65_537)
  await expect(auth.storeCredential('large', large)).rejects.toMatchObject({ code: 'data_too_large' })
})

/** Another process, killed when it has said so often that something is stored; what it said, line by line. */
async function killedAfter(count: number, argv: readonly string[]): Promise<readonly string[]> {
  const child = fileURLToPath(new URL('./children/rewrap-and-store.ts', import.meta.url))
  const writer = spawn(process.execPath, [child, ...argv, `${count}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void writer.kill('SIGKILL'))
  const said: string[] = []
  for await (const line of createInterface({ input: writer.stdout })) said.push(line)
  expect(said.length).toBeGreaterThanOrEqual(count)
  return said
}

it('loses nothing that it acknowledged when it is killed while storing and rewrapping', async () => {
  const files = [`${around.dataDir}-kek-0`, `${around.dataDir}-kek-1`]
  for (const file of files) await createKekFile(file)
  const [even = '', odd = ''] = files
  /** By name, the count that was acknowledged last. */
  const stored = new Map(Array.from({ length: 300 }, (_, at) => [`before-${at}`, 0]))
  const first = await around.open({ kek: kekFromFile(even) })
  await Promise.all([...stored].map(([name, count]) => first.storeCredential(name, bytes(`${count} of ${name}`))))
  await first.close()

  let cutInTheMiddle = 0
  for (const [round, lines] of [1, 150, 250, 400, 800].entries()) {
    if (round > 2 && cutInTheMiddle > 0) break
    const [before, after] = round % 2 === 0 ? [even, odd] : [odd, even]
    const { size } = stored
    for (const line of await killedAfter(lines, [around.dataDir, before, after, `round-${round}`])) {
      const [name = '', count] = line.split(' ')
      stored.set(name, Number(count))
    }
    const auth = await around.open({ kek: keks(kekFromFile(after), kekFromFile(before)) })
    const { credentials, failed } = await auth.rewrap()
    expect(failed).toEqual([])
    if (credentials > 0 && credentials < size) cutInTheMiddle += 1
    await auth.close()
    // The key of before is not needed any more, for any of what was ever stored.
    const without = await around.open({ kek: kekFromFile(after) })
    for (const [name, count] of stored) {
      const [kept, ...rest] = textOf(await without.getCredential(name))?.split(' ') ?? []
      expect(rest, name).toEqual(['of', name])
      expect(Number(kept), name).toBeGreaterThanOrEqual(count)
    }
    await without.close()
  }
  expect(cutInTheMiddle).toBeGreaterThan(0)
})
