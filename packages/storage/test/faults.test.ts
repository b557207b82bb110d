import { join } from 'node:path'
import { expect, it } from 'vitest'
import { issued, NOW } from './records.ts'
import { addUnderStrace, runUnderStrace } from './strace.ts'
import { openForTest, temporaryDirectory } from './support.ts'

/** A database that is there already, so that a traced process writes nothing but what it adds. */
async function emptyDatabase(): Promise<string> {
  const path = join(temporaryDirectory(), 'traced.db')
  await (await openForTest(path)).close()
  return path
}

async function stored(path: string, count: number): Promise<readonly boolean[]> {
  const database = await openForTest(path)
  const { status } = database.stores.issuer.issued
  const found = await Promise.all(Array.from({ length: count }, (_, i) => status(`${i}`)))
  await database.close()
  return found.map((one) => one !== undefined)
}

/** How many answers were printed; each has to come after a sync of the log of its own. */
function answersAfterSync(trace: readonly string[]): number {
  // Each thread may be inside one call: `fsync(…-wal> <unfinished ...>`, and later `<... fsync resumed>) = 0`.
  const syncing = new Set<string>()
  let syncs = 0
  let answers = 0
  for (const line of trace) {
    const [thread = ''] = line.split(' ', 1)
    if (/f(data)?sync\(\d+<[^>]*-wal>/.test(line)) {
      if (/\)\s+= 0$/.test(line)) syncs += 1
      else if (line.endsWith('<unfinished ...>')) syncing.add(thread)
    } else if (/<\.\.\. f(data)?sync resumed>\)\s+= 0$/.test(line) && syncing.delete(thread)) {
      syncs += 1
    } else if (/write\(1<[^>]*>, "\d+ ok/.test(line)) {
      answers += 1
      expect(syncs, `syncs before answer ${answers}`).toBeGreaterThanOrEqual(answers)
      syncs = answers
    }
  }
  return answers
}

it('answers only after the log was synced', async () => {
  const path = await emptyDatabase()
  const { printed, trace } = await addUnderStrace(path, 12, ['-e', 'trace=fsync,fdatasync,write'])
  expect(printed.filter((line) => line.endsWith(' ok'))).toHaveLength(13)
  expect(answersAfterSync(trace)).toBe(12)
})

it('fails with io_error when a sync fails, stores nothing more, and reports it as fatal', async () => {
  const path = await emptyDatabase()
  // Only one sync fails: what comes after it must be refused although the disk would take it.
  const inject = ['-e', 'trace=fsync,fdatasync', '-e', 'inject=fsync,fdatasync:error=EIO:when=6']
  const { printed, trace } = await addUnderStrace(path, 30, inject)
  expect(trace.filter((line) => line.includes('(INJECTED)'))).not.toHaveLength(0)
  const outcomes = printed.slice(1, 31).map((line) => line.split(' ')[1])
  const failed = outcomes.indexOf('io_error')
  expect(failed).toBeGreaterThan(0)
  expect(outcomes.slice(0, failed).every((outcome) => outcome === 'ok')).toBe(true)
  expect(outcomes.slice(failed).every((outcome) => outcome === 'io_error')).toBe(true)
  expect(printed.slice(31)).toEqual(['check io_error', 'fatal io_error'])
  const found = await stored(path, 30)
  expect(found.slice(0, failed).every((isThere) => isThere)).toBe(true)
  // Of the failed one itself nobody can know.
  expect(found.slice(failed + 1).some((isThere) => isThere)).toBe(false)
})

it('fails with full when the disk is full, and goes on when there is space again', async () => {
  const path = await emptyDatabase()
  const inject = ['-e', 'trace=pwrite64', '-e', 'inject=pwrite64:error=ENOSPC:when=20..40']
  const { printed, trace } = await addUnderStrace(path, 60, inject)
  expect(trace.filter((line) => line.includes('(INJECTED)')).length).toBeGreaterThan(5)
  const outcomes = printed.slice(1, 61).map((line) => line.split(' ')[1])
  expect(new Set(outcomes)).toEqual(new Set(['ok', 'full']))
  expect(outcomes[0]).toBe('ok')
  expect(outcomes.at(-1)).toBe('ok')
  expect(printed.slice(61)).toEqual(['check ok'])
  expect(await stored(path, 60)).toEqual(outcomes.map((outcome) => outcome === 'ok'))
})

/** With tokens to revoke, named by numbers. */
async function databaseWithTokens(count: number): Promise<string> {
  const path = join(temporaryDirectory(), 'traced.db')
  const database = await openForTest(path)
  await Promise.all(Array.from({ length: count }, (_, i) => database.stores.issuer.issued.add(issued(`${i}`))))
  await database.close()
  return path
}

/** Which tokens are revoked, by their rows and by the log: never one without the other. */
async function revoked(path: string, count: number): Promise<readonly boolean[]> {
  const database = await openForTest(path)
  const { issued: tokens, revocations } = database.stores.issuer
  const rows = await Promise.all(Array.from({ length: count }, (_, i) => tokens.status(`${i}`)))
  const { entries, position } = await revocations.snapshot()
  const logged = new Set(entries.map((entry) => entry.type === 'jti' && entry.id))
  const found = rows.map((row) => row?.revokedAt === NOW)
  expect(found).toEqual(rows.map((_, i) => logged.has(`${i}`)))
  expect(position.seq).toBe(entries.length)
  await database.close()
  return found
}

it('answers a revocation only after the log was synced', async () => {
  const path = await databaseWithTokens(12)
  const { trace } = await runUnderStrace('revoke-in-turn', path, 12, ['-e', 'trace=fsync,fdatasync,write'])
  expect(answersAfterSync(trace)).toBe(12)
  expect(await revoked(path, 12)).toEqual(Array.from({ length: 12 }, () => true))
})

it('never says that it revoked when a sync fails', async () => {
  const path = await databaseWithTokens(30)
  const inject = ['-e', 'trace=fsync,fdatasync', '-e', 'inject=fsync,fdatasync:error=EIO:when=6']
  const { printed } = await runUnderStrace('revoke-in-turn', path, 30, inject)
  const outcomes = printed.slice(1, 31).map((line) => line.split(' ')[1])
  const failed = outcomes.indexOf('io_error')
  expect(failed).toBeGreaterThan(0)
  expect(outcomes.slice(failed).every((outcome) => outcome === 'io_error')).toBe(true)
  expect(printed.at(-1)).toBe('fatal io_error')
  const found = await revoked(path, 30)
  expect(found.slice(0, failed).every(Boolean)).toBe(true)
  expect(found.slice(failed + 1).some(Boolean)).toBe(false)
})

it('never says that it revoked when the disk is full', async () => {
  const path = await databaseWithTokens(60)
  const inject = ['-e', 'trace=pwrite64', '-e', 'inject=pwrite64:error=ENOSPC:when=30..60']
  const { printed } = await runUnderStrace('revoke-in-turn', path, 60, inject)
  const outcomes = printed.slice(1, 61).map((line) => line.split(' ')[1])
  expect(new Set(outcomes)).toEqual(new Set(['ok', 'full']))
  expect(outcomes.at(-1)).toBe('ok')
  expect(await revoked(path, 60)).toEqual(outcomes.map((outcome) => outcome === 'ok'))
})
