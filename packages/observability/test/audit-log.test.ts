import { execFile } from 'node:child_process'
import { appendFile, link, mkdir, mkdtemp, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { IssuerAudit } from '@countersign/issuer'
import type { KeyAudit } from '@countersign/keys'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type AuditEvent, type AuditLog, type AuditLogEvent, type AuditLogOptions, openAuditLog } from '../src/index.ts'
import { canonicalJson } from './canonical-json.ts'

let folder: string
let path: string
const opened: AuditLog[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'audit-'))
  path = join(folder, 'audit.jsonl')
})
afterEach(async () => {
  for (const log of opened.splice(0)) await log.close()
  await rm(folder, { recursive: true, force: true })
})

async function open(options: AuditLogOptions = {}, at = path): Promise<AuditLog> {
  const log = await openAuditLog(at, { clock: { now: () => 1_700_000_000.123_456 }, ...options })
  opened.push(log)
  return log
}
const lines = async (at = path): Promise<string[]> => (await readFile(at, 'utf8')).split('\n').slice(0, -1)
const records = async (at = path): Promise<Record<string, unknown>[]> =>
  (await lines(at)).map((line) => JSON.parse(line))

const event: AuditEvent = {
  action: 'key.activate',
  outcome: 'allowed',
  actor: { type: 'operator', id: 'ada' },
  target: { type: 'key', id: 'k1' },
}

describe('openAuditLog', () => {
  it('writes one canonical line a record, with writer, sequence and time', async () => {
    const log = await open()
    await log.record({
      ...event,
      reason: 'due',
      details: { version: 3, forced: false, previous: null, ring: 'tokens' },
    })
    expect(await readFile(path, 'utf8')).toBe(
      `{"action":"key.activate","actor":{"id":"ada","type":"operator"},"details":{"forced":false,"previous":null,"ring":"tokens","version":3},"outcome":"allowed","reason":"due","seq":1,"target":{"id":"k1","type":"key"},"ts":1700000000.123,"v":1,"writer":"${log.writer}"}\n`,
    )
  })

  it('is the audit port of the key ring and of the issuer', async () => {
    const log = await open()
    const ports: [KeyAudit, IssuerAudit] = [log, log]
    const actor = { type: 'system' } as const
    await ports[0].record({ action: 'key.retire', outcome: 'allowed', actor, target: { type: 'key', id: 'k' } })
    await ports[1].record({ action: 'token.issue', outcome: 'allowed', actor, target: { type: 'token', id: 'j' } })
    expect(await records()).toHaveLength(2)
  })

  it('resolves when the record can be read', async () => {
    const log = await open()
    for (let count = 1; count <= 20; count += 1) {
      await log.record(event)
      expect(await lines()).toHaveLength(count)
    }
  })

  it('writes all records of one turn at once, in the order of the calls', async () => {
    const events: AuditLogEvent[] = []
    const log = await open({ onEvent: (told) => events.push(told) })
    await Promise.all(
      Array.from({ length: 500 }, (_, n) =>
        log.record({ ...event, outcome: n % 5 === 0 ? 'denied' : 'allowed', target: { type: 'key', id: `k${n}` } }),
      ),
    )
    expect(events).toEqual([{ type: 'audit_written', allowed: 400, denied: 100, bytes: (await stat(path)).size }])
    const all = await records()
    expect(all.map((record) => record.seq)).toEqual(Array.from({ length: 500 }, (_, n) => n + 1))
    expect(all.map((record) => (record.target as { id: string }).id)).toEqual(all.map((_, n) => `k${n}`))
  })

  it('goes on where the file ends, under a new writer', async () => {
    const first = await open()
    await first.record(event)
    await first.close()
    const second = await open()
    await second.record(event)
    const all = await records()
    expect(all.map((record) => [record.writer, record.seq])).toEqual([
      [first.writer, 1],
      [second.writer, 1],
    ])
  })

  it('survives a listener that throws', async () => {
    const log = await open({
      onEvent: () => {
        throw new Error('listener')
      },
    })
    await log.record(event)
    expect(await records()).toHaveLength(1)
  })

  it('waits for the disk when told to', async () => {
    const log = await open({ fsync: true })
    await Promise.all([log.record(event), log.record(event)])
    await log.record(event)
    expect(await records()).toHaveLength(3)
  })

  describe('the file', () => {
    it.skipIf(process.platform === 'win32')('is made with mode 0600', async () => {
      await open()
      expect((await stat(path)).mode & 0o777).toBe(0o600)
    })

    const file = (mode: number) => () => writeFile(path, '', { mode })
    const unsafe: [what: string, prepare: () => Promise<unknown>][] = [
      [
        'a link',
        async () => {
          await writeFile(join(folder, 'victim'), '', { mode: 0o600 })
          await symlink(join(folder, 'victim'), path)
        },
      ],
      ['readable by others', file(0o644)],
      ['readable by the group', file(0o640)],
      ['a directory', () => mkdir(path)],
      ['a pipe', () => promisify(execFile)('mkfifo', ['-m', '600', path])],
    ]
    it.each(unsafe)('is refused when it is %s', async (_what, prepare) => {
      await prepare()
      const refusal = { code: 'audit_unsafe_file', remedy: expect.stringContaining('0600') }
      await expect(openAuditLog(path)).rejects.toMatchObject(refusal)
    })

    it('is refused when it is a device', async () => {
      await expect(openAuditLog('/dev/null')).rejects.toMatchObject({ code: 'audit_unsafe_file' })
    })

    it('needs its directory', async () => {
      await expect(openAuditLog(join(folder, 'none', 'audit.jsonl'))).rejects.toMatchObject({
        code: 'audit_unwritable',
      })
    })

    it('is begun anew at the path after a rotation', async () => {
      const events: string[] = []
      const log = await open({ onEvent: ({ type }) => events.push(type) })
      await log.record(event)
      await rename(path, `${path}.1`)
      await log.record(event)
      await log.reopen()
      await log.record(event)
      expect([await records(`${path}.1`), await records()].map((all) => all.map((record) => record.seq))).toEqual([
        [1, 2],
        [3],
      ])
      expect(events).toContain('audit_reopened')
    })

    it('stays in use when the path cannot be opened anew', async () => {
      const log = await open()
      await rename(path, `${path}.1`)
      await symlink(`${path}.1`, path)
      await expect(log.reopen()).rejects.toMatchObject({ code: 'audit_unsafe_file' })
      await log.record(event)
      expect(await records(`${path}.1`)).toHaveLength(1)
    })

    it('is begun anew, with an event, when it was deleted', async () => {
      const events: string[] = []
      const log = await open({ onEvent: ({ type }) => events.push(type) })
      await log.record(event)
      await rm(path)
      await log.record(event)
      expect((await records()).map((record) => record.seq)).toEqual([2])
      expect(events).toEqual(['audit_written', 'audit_file_deleted', 'audit_written'])
    })

    it('makes records fail while its directory is gone, and takes them again afterwards', async () => {
      const events: AuditLogEvent[] = []
      const log = await open({ onEvent: (told) => events.push(told) })
      await rm(folder, { recursive: true })
      const [first, second] = await Promise.allSettled([log.record(event), log.record(event)])
      expect([first, second]).toEqual([
        { status: 'rejected', reason: expect.objectContaining({ code: 'audit_unwritable' }) },
        { status: 'rejected', reason: expect.objectContaining({ code: 'audit_unwritable' }) },
      ])
      expect(events.find((told) => told.type === 'audit_write_failed')).toMatchObject({ records: 2 })
      await mkdir(folder)
      await log.record(event)
      expect((await records()).map((record) => record.seq)).toEqual([3])
    })

    it('gets the end of a line that a crash left open', async () => {
      await writeFile(path, '{"action":"key.a', { mode: 0o600 })
      const events: string[] = []
      const log = await open({ onEvent: ({ type }) => events.push(type) })
      await log.record(event)
      await log.record(event)
      const [torn, ...whole] = await lines()
      expect(torn).toBe('{"action":"key.a')
      expect(whole.map((line) => JSON.parse(line).seq)).toEqual([1, 2])
      expect(events.filter((type) => type === 'audit_torn_line')).toHaveLength(1)
    })

    it('has no empty line where another process was in the middle of its own', async () => {
      const other = '{"action":"key.activate","seq":1}\n'
      await writeFile(path, other.slice(0, 9), { mode: 0o600 })
      const events: string[] = []
      const log = await open({ onEvent: ({ type }) => events.push(type) })
      vi.useFakeTimers({ toFake: ['setTimeout'] })
      try {
        const recorded = log.record(event)
        // Once it waits for its second look, the other process comes to its end.
        while (vi.getTimerCount() === 0) await new Promise(setImmediate)
        await appendFile(path, other.slice(9))
        vi.advanceTimersByTime(20)
        await recorded
      } finally {
        vi.useRealTimers()
      }
      expect((await records()).map(({ seq }) => seq)).toEqual([1, 1])
      expect(events).not.toContain('audit_torn_line')
    })

    it('may have a second name', async () => {
      const log = await open()
      await link(path, `${path}.backup`)
      await log.record(event)
      expect(await records(`${path}.backup`)).toHaveLength(1)
    })
  })

  describe('a closed log', () => {
    it('has written what was pending, and takes nothing more', async () => {
      const log = await open()
      const pending = [log.record(event), log.record(event)]
      await Promise.all([log.close(), log.close()])
      await Promise.all(pending)
      expect(await records()).toHaveLength(2)
      await expect(log.record(event)).rejects.toMatchObject({ code: 'audit_closed' })
      await expect(log.reopen()).rejects.toMatchObject({ code: 'audit_closed' })
      expect(await records()).toHaveLength(2)
    })
  })

  it('rejects what the disk cannot keep up with', async () => {
    const log = await open({ mostPending: 3 })
    const all = await Promise.allSettled(Array.from({ length: 5 }, () => log.record(event)))
    expect(all.map((one) => (one.status === 'rejected' ? one.reason.code : 'written'))).toEqual([
      'written',
      'written',
      'written',
      'audit_queue_full',
      'audit_queue_full',
    ])
    await log.record(event)
    expect((await records()).map((record) => record.seq)).toEqual([1, 2, 3, 4])
  })

  it.each([0, 1.5, 1_000_001, Number.NaN])('refuses mostPending: %d', async (mostPending) => {
    await expect(openAuditLog(path, { mostPending })).rejects.toMatchObject({ code: 'invalid_options' })
  })

  const bad: [why: string, event: unknown][] = [
    ['is nothing', undefined],
    ['has no action', { ...event, action: undefined }],
    ['has an action with a line break', { ...event, action: 'key.a\nkey.b' }],
    ['has an action without a dot', { ...event, action: 'activate' }],
    ['has a long action', { ...event, action: `key.${'a'.repeat(61)}` }],
    ['has another outcome', { ...event, outcome: 'ok' }],
    ['has no actor', { ...event, actor: null }],
    ['has an odd actor type', { ...event, actor: { type: 'A b' } }],
    ['has an empty target id', { ...event, target: { type: 'key', id: '' } }],
    ['has a reason that is no text', { ...event, reason: 5 }],
    [
      'has too many details',
      { ...event, details: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`d${n}`, n])) },
    ],
    ['has an odd detail name', { ...event, details: { 'a b': 1 } }],
    ['has a nested detail', { ...event, details: { a: { b: 1 } } }],
    ['has a detail that is no number', { ...event, details: { a: Number.NaN } }],
  ]
  it.each(bad)('rejects an event that %s', async (_why, given) => {
    const log = await open()
    await expect(log.record(given as AuditEvent)).rejects.toMatchObject({ code: 'audit_invalid_record' })
    await log.record(event)
    expect((await records()).map((record) => record.seq)).toEqual([1])
  })

  it('cuts long texts and says so; a line never passes 4,096 bytes', async () => {
    const log = await open()
    const wide = '\u2028'.repeat(9_999)
    await log.record({ ...event, reason: 'r'.repeat(201) })
    await log.record({
      ...event,
      actor: { type: 'user', id: wide },
      target: { type: 'key', id: wide },
      reason: wide,
      details: { a: wide, b: wide, c: wide },
    })
    const [first, second] = await lines()
    expect(JSON.parse(first ?? '')).toMatchObject({ truncated: true, reason: `${'r'.repeat(199)}…` })
    expect(Buffer.byteLength(second ?? '')).toBeLessThan(4096)
    expect(JSON.parse(second ?? '')).toMatchObject({ truncated: true })
  })

  it('holds no secret and no forged line, whatever it is told', async () => {
    const log = await open()
    const text = fc.oneof(
      fc.string({ unit: 'binary', minLength: 1 }),
      fc.constantFrom('x\n{"seq":9}', 'a\u2028b', 'Bearer hunter22hunter22', 'password=hunter22', '\ud800'),
    )
    const any = fc.record({ id: text, actor: text, reason: text, detail: text })
    const given = fc.sample(any, 2000)
    await Promise.all(
      given.map(({ id, actor, reason, detail }) =>
        log.record({
          ...event,
          actor: { type: 'user', id: actor },
          target: { type: 'key', id },
          reason,
          details: { detail },
        }),
      ),
    )
    const all = await lines()
    expect(all).toHaveLength(2000)
    for (const line of all) {
      expect(line).not.toMatch(/hunter|[\r\u2028\u2029\u0085]/)
      expect(canonicalJson(JSON.parse(line))).toBe(line)
    }
  })

  /** Runs a writer of its own process; prints what came of each record. */
  async function write(count: number, options: { limit?: number } = {}): Promise<string[]> {
    const script = `
      import { openAuditLog } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)}
      const log = await openAuditLog(${JSON.stringify(path)})
      const event = { action: 'key.activate', outcome: 'allowed', actor: { type: 'system' }, target: { type: 'key', id: 'x'.repeat(100) } }
      const told = []
      for (let turn = 0; turn < ${count} / 20; turn += 1) {
        told.push(...await Promise.allSettled(Array.from({ length: 20 }, () => log.record(event))))
      }
      process.stdout.write(told.map((one, n) => one.status === 'fulfilled' ? log.writer + ' ' + (n + 1) : one.reason.code).join('\\n'))
    `
    const node = [process.execPath, '--input-type=module', '-e', script]
    const command =
      options.limit === undefined ? node : ['sh', '-c', `ulimit -f ${options.limit}; exec "$@"`, 'sh', ...node]
    const { stdout } = await promisify(execFile)(command[0] ?? '', command.slice(1), {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
    })
    return stdout.split('\n')
  }

  it('takes the lines of several processes without splitting one', async () => {
    const told = (await Promise.all([write(1000), write(1000), write(1000)])).flat()
    const found = (await records()).map((record) => `${record.writer} ${record.seq}`)
    expect(found).toHaveLength(3000)
    expect(found.toSorted()).toEqual(told.toSorted())
  })

  it.skipIf(process.platform === 'win32')('says of each record truly whether a full disk took it', async () => {
    // A limit on the file's size stands for the full disk: the kernel takes part of a write, then none.
    const told = await write(200, { limit: 16 })
    const whole = (await readFile(path, 'utf8')).split('\n').slice(0, -1)
    const found = whole.flatMap((line) => {
      try {
        const { writer, seq } = JSON.parse(line)
        return [`${writer} ${seq}`]
      } catch {
        return []
      }
    })
    expect(told.filter((one) => one.includes(' '))).toEqual(found)
    expect(found.length).toBeGreaterThan(20)
    expect(new Set(told.filter((one) => !one.includes(' ')))).toEqual(new Set(['audit_unwritable']))
    // With room again the torn line is ended, and records are written after it.
    const log = await open()
    await log.record(event)
    expect(JSON.parse((await lines()).at(-1) ?? '')).toMatchObject({ seq: 1, writer: log.writer })
  })
})
