import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isCredentialsError, openCredentials } from '@countersign/credentials'
import { kekFromValue } from '@countersign/sealing'
import { isStorageError, openSqlite } from '@countersign/storage/sqlite'
import Database from 'better-sqlite3'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'countersign-damaged-'))
const file = join(folder, 'credentials.db')
const kek = kekFromValue(Buffer.alloc(32, 7).toString('base64url'), { onEvent: () => {} })
const names = Array.from({ length: 12 }, (_, at) => `name-${at}`)
const secretOf = (name: string): string => `the secret of ${name}`

let whole: Buffer
beforeAll(async () => {
  const database = await openSqlite(file)
  const ada = (await openCredentials({ store: database.stores.credentials, kek })).of('ada')
  for (const name of names) await ada.put(name, Buffer.from(secretOf(name)))
  await database.close()
  whole = readFileSync(file)
})
afterAll(() => rmSync(folder, { recursive: true }))

/** What each name gives from the file as it is: its text, nothing, or the code of the error. */
async function readAll(): Promise<readonly (string | undefined)[]> {
  const codeOf = (error: unknown): string => {
    if (isCredentialsError(error) || isStorageError(error)) return error.code
    throw error
  }
  const database = await openSqlite(file).catch(codeOf)
  if (typeof database === 'string') return names.map(() => database)
  try {
    const ada = (await openCredentials({ store: database.stores.credentials, kek })).of('ada')
    return await Promise.all(
      names.map((name) => ada.get(name).then((secret) => secret && new TextDecoder().decode(secret), codeOf)),
    )
  } catch (error) {
    const code = codeOf(error)
    return names.map(() => code)
  } finally {
    await database.close().catch(codeOf)
  }
}

describe('a file whose rows were changed', () => {
  const changes: [what: string, sql: string][] = [
    ['other secrets', "UPDATE credentials SET sealed = (SELECT sealed FROM credentials c WHERE c.name = 'name-9')"],
    ['another version', 'UPDATE credentials SET version = version + 1'],
    ['another time', 'UPDATE credentials SET updated_at = updated_at + 1'],
  ]
  it.each(changes)('to %s gives none of them', async (_what, sql) => {
    writeFileSync(file, whole)
    const database = new Database(file)
    database.exec(`${sql} WHERE name <> 'name-9'`)
    database.close()
    expect(await readAll()).toEqual(names.map((name) => (name === 'name-9' ? secretOf(name) : 'not_authentic')))
  })

  it('so that two swapped their names gives neither', async () => {
    writeFileSync(file, whole)
    const database = new Database(file)
    for (const [from, to] of [
      ['name-0', 'x'],
      ['name-1', 'name-0'],
      ['x', 'name-1'],
    ]) {
      database.prepare('UPDATE credentials SET name = ? WHERE name = ?').run(to, from)
    }
    database.close()
    expect((await readAll()).slice(0, 3)).toEqual(['not_authentic', 'not_authentic', secretOf('name-2')])
  })
})

it('a file with bytes changed, cut off or moved gives the right secret, none, or an error, and never ends the process', async () => {
  const at = fc.nat(whole.length - 1)
  const damage = fc.oneof(
    fc.tuple(at, fc.nat(7)).map(([i, bit]) => (bytes: Buffer) => {
      bytes[i] = (bytes[i] ?? 0) ^ (1 << bit)
      return bytes
    }),
    at.map((i) => (bytes: Buffer) => bytes.subarray(0, i)),
    at.map((i) => (bytes: Buffer) => bytes.fill(0, i, Math.min(i + 512, bytes.length))),
    fc.tuple(at, at).map(([from, to]) => (bytes: Buffer) => {
      bytes.copy(bytes, to, from, from + 64)
      return bytes
    }),
  )
  await fc.assert(
    fc.asyncProperty(damage, async (change) => {
      writeFileSync(file, change(Buffer.from(whole)))
      for (const [index, found] of (await readAll()).entries()) {
        const allowed = [undefined, secretOf(names[index] ?? ''), 'corrupt', 'not_a_database']
        expect([...allowed, 'malformed', 'not_authentic', 'kek_unknown']).toContain(found)
      }
    }),
    { numRuns: 40 },
  )
})
