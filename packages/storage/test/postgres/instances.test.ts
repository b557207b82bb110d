import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { query } from '@countersign-tooling/postgres'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import type { PostgresDatabase } from '../../src/postgres.ts'
import { client, issued, NOW, refresh, session, user } from '../records.ts'
import { databaseUrl, newSchema, openForTest } from './support.ts'

const UNTIL = NOW + 720

async function instances(count: number): Promise<{ schema: string; databases: readonly PostgresDatabase[] }> {
  const schema = newSchema()
  const databases = []
  for (let i = 0; i < count; i++) databases.push(await openForTest({ schema, pollIntervalMs: 50 }))
  const [first] = databases
  await first?.stores.issuer.users.add(user)
  await first?.stores.issuer.clients.add(client)
  return { schema, databases }
}

const opening = (id: string) => ({ session: session(id), refresh: refresh(`${id}/0`, id), issued: issued(id, id) })

const rotation = (id: string, from: string, to: string, sealed = `sealed ${to}`) => ({
  presentedHash: from,
  successor: refresh(to, id),
  issued: issued(to, id),
  now: NOW,
  replay: { sealed, until: NOW + 10 },
})

async function connect(): Promise<pg.Client> {
  const connection = new pg.Client({ connectionString: await databaseUrl() })
  connection.on('error', () => {})
  await connection.connect()
  onTestFinished(() => connection.end())
  return connection
}

it('keeps one family through rounds of 50 refreshes at once, over two instances', async () => {
  const { databases } = await instances(2)
  const sessions = databases.map(({ stores }) => stores.issuer.sessions)
  await sessions[0]?.open(opening('one'))
  let current = 'one/0'
  for (let round = 1; round <= 10; round++) {
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, i) => sessions[i % 2]?.rotate(rotation('one', current, `one/${round}/${i}`))),
    )
    const winner = outcomes.indexOf('rotated')
    const replayed = { replayed: `sealed one/${round}/${winner}` }
    expect(outcomes).toEqual(outcomes.map((_, i) => (i === winner ? 'rotated' : replayed)))
    current = `one/${round}/${winner}`
  }
})

it('takes no lock in two orders: a successor and repeats of its predecessor at once', async () => {
  const { databases } = await instances(2)
  const sessions = databases.map(({ stores }) => stores.issuer.sessions)
  for (let round = 0; round < 10; round++) {
    const id = `session ${round}`
    await sessions[0]?.open(opening(id))
    await sessions[0]?.rotate(rotation(id, `${id}/0`, `${id}/1`))
    await Promise.all(
      Array.from({ length: 16 }, (_, i) =>
        sessions[i % 2]?.rotate(rotation(id, i % 4 < 2 ? `${id}/0` : `${id}/1`, `${id}/2/${i}`)),
      ),
    )
  }
  expect(databases.map((one) => one.statistics().retries)).toEqual([0, 0])
})

it('ends every session that opens while its account ends', async () => {
  const { databases } = await instances(2)
  const [one, two] = databases.map(({ stores }) => stores.issuer)
  for (let round = 0; round < 6; round++) {
    const id = `user ${round}`
    await one?.users.add({ ...user, id, identifier: id })
    const sign = (i: number) => {
      const of = `${id}/${i}`
      return [one, two][i % 2]?.sessions.open({ ...opening(of), session: { ...session(of), userId: id } })
    }
    const opened = Array.from({ length: 12 }, (_, i) => sign(i))
    const ended = round % 2 === 0 ? two?.users.disable(id, NOW, UNTIL) : two?.users.setPassword(id, 'new', NOW, UNTIL)
    await Promise.all([...opened, ended])
    const left = (await one?.sessions.ofUser(id, { limit: 100 })) ?? []
    expect(left.filter(({ endedAt }) => endedAt === null)).toEqual([])
    expect(left.length).toBe((await Promise.all(opened)).filter(Boolean).length)
  }
})

it('ends sessions by user and by client at once, and refreshes meanwhile', async () => {
  const { schema, databases } = await instances(2)
  const [one, two] = databases.map(({ stores }) => stores.issuer)
  const ids = Array.from({ length: 20 }, (_, i) => `${i}`)
  await Promise.all(ids.map((id) => one?.sessions.open(opening(id))))
  // Both meet in the middle: in two orders, each would then hold what the other one wants.
  const blocker = await connect()
  await blocker.query('BEGIN')
  await blocker.query(`SELECT FROM ${schema}.sessions WHERE id = '15' FOR UPDATE`)
  const ends = [one?.users.disable('ada', NOW, UNTIL), two?.clients.disable('web', NOW, UNTIL)]
  const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
  await expect.poll(async () => (await blocker.query(waiting)).rowCount).toBeGreaterThanOrEqual(2)
  await blocker.query('COMMIT')
  const outcomes = await Promise.all([
    ...ends,
    ...ids.map((id) => two?.sessions.rotate(rotation(id, `${id}/0`, `${id}/1`))),
  ])
  expect(databases.map((one) => one.statistics().retries)).toEqual([0, 0])
  expect(outcomes.slice(0, 2)).toEqual([true, true])
  for (const id of ids) expect((await one?.sessions.byId(id))?.endedAt).toBe(NOW)
  // One that was refreshed in between came before its session's end.
  expect(await one?.sessions.rotate(rotation('0', '0/1', '0/2'))).toBe('invalid')
})

it('keeps the strongest word when instances revoke the same at once', async () => {
  const { databases } = await instances(2)
  const logs = databases.map(({ stores }) => stores.issuer.revocations)
  const words = Array.from({ length: 20 }, (_, i) => (i * 7) % 20)
  await Promise.all(
    words.map((word, i) =>
      logs[i % 2]?.append([{ type: 'subject', id: 'ada', minGeneration: word, until: UNTIL + 20 - word }], NOW),
    ),
  )
  const { entries, position } = (await logs[0]?.snapshot()) ?? {}
  expect(entries).toEqual([{ type: 'subject', id: 'ada', minGeneration: 19, until: UNTIL + 20 }])
  const events = (await logs[1]?.after(0, 100))?.events ?? []
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1))
  expect(events.length).toBe(position?.seq)
})

it('counts every failure, and lets one assertion in', async () => {
  const { databases } = await instances(3)
  const rule = { allowed: 1_000, windowSeconds: 60, baseSeconds: 1, maxSeconds: 60 }
  const each = <T>(count: number, call: (database: PostgresDatabase, i: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: count }, (_, i) => call(databases[i % 3] as PostgresDatabase, i)))
  // In either order: whoever locks both, locks them in one.
  await each(60, ({ stores }, i) => stores.issuer.throttle.fail(i % 2 === 0 ? ['a', 'b'] : ['b', 'a'], rule, NOW))
  const counted = await databases[0]?.stores.issuer.throttle.read(['a', 'b'])
  expect([...(counted?.values() ?? [])].map(({ failures }) => failures)).toEqual([60, 60])
  const used = await each(30, ({ stores }) => stores.issuer.assertions.use('assertion', NOW))
  expect(used.filter(Boolean)).toHaveLength(1)
})

/** What a reader that goes on from the last number it saw would have seen, if two writers commit in the other order. */
async function readWhileOvertaking(
  reader: pg.Client,
  begin: (writer: pg.Client, id: string) => Promise<unknown>,
  read: string,
): Promise<readonly string[]> {
  const slow = await connect()
  const fast = await connect()
  const seen: string[] = []
  let last = 0
  const goOn = async (): Promise<void> => {
    for (const row of (await reader.query(read, [last])).rows) {
      last = Number(row.seq)
      seen.push(row.id)
    }
  }
  for (const writer of [slow, fast]) await writer.query('BEGIN')
  await begin(slow, 'slow')
  const { pid } = (await fast.query('SELECT pg_backend_pid() AS pid')).rows[0]
  let isOver = false
  const overtaking = begin(fast, 'fast')
    .then(() => fast.query('COMMIT'))
    .finally(() => {
      isOver = true
    })
  // With a locked counter the second waits for the first; with a sequence it overtakes it.
  const isWaiting = 'SELECT FROM pg_locks WHERE pid = $1 AND NOT granted'
  await expect.poll(async () => isOver || (await reader.query(isWaiting, [pid])).rowCount === 1).toBe(true)
  await goOn()
  await slow.query('COMMIT')
  await overtaking
  await goOn()
  return seen
}

it('numbers revocations in the order of commits, where a sequence would lose one', async () => {
  const { schema } = await instances(1)
  const reader = await connect()
  await reader.query(`CREATE TABLE ${schema}.naive (seq bigserial, id text)`)
  const naive = await readWhileOvertaking(
    reader,
    (writer, id) => writer.query(`INSERT INTO ${schema}.naive (id) VALUES ($1)`, [id]),
    `SELECT seq, id FROM ${schema}.naive WHERE seq > $1 ORDER BY seq`,
  )
  expect(naive).toEqual(['fast'])

  // As the store does it: the counter's row first.
  const ours = await readWhileOvertaking(
    reader,
    async (writer, id) => {
      const { rows } = await writer.query(
        `UPDATE ${schema}.revocation_log SET seq = seq + 1 WHERE id = 1 RETURNING seq`,
      )
      await writer.query(
        `INSERT INTO ${schema}.revocation_events (seq, change, type, id, at) VALUES ($1, 'add', 'jti', $2, 0)`,
        [rows[0].seq, id],
      )
    },
    `SELECT seq, id FROM ${schema}.revocation_events WHERE seq > $1 ORDER BY seq`,
  )
  expect(ours).toEqual(['slow', 'fast'])
})

it('shows a follower every revocation once, in order, while three instances revoke', async () => {
  const { databases } = await instances(3)
  const log = databases[0]?.stores.issuer.revocations
  const seen: string[] = []
  let last = 0
  let isOver = false
  const goOn = async (): Promise<number> => {
    const found = (await log?.after(last, 7))?.events ?? []
    for (const { seq, entry } of found) {
      expect(seq).toBe(last + 1)
      last = seq
      seen.push('id' in entry ? entry.id : '')
    }
    return found.length
  }
  const following = (async () => {
    while (!isOver) await goOn()
    while ((await goOn()) > 0);
  })()
  const ids = Array.from({ length: 120 }, (_, i) => `token ${i}`)
  await Promise.all(ids.map((jti, i) => databases[i % 3]?.stores.issuer.issued.add(issued(jti))))
  await Promise.all(ids.map((jti, i) => databases[i % 3]?.stores.issuer.issued.revoke(jti, NOW, UNTIL)))
  isOver = true
  await following
  expect(seen.toSorted()).toEqual(ids.toSorted())
})

it('prunes from two instances at once, at most so many rows a call each', async () => {
  const { databases } = await instances(2)
  const stores = databases.map((one) => one.stores.issuer)
  await Promise.all(
    Array.from({ length: 200 }, (_, i) => stores[i % 2]?.issued.add({ ...issued(`${i}`), expiresAt: NOW - 1 })),
  )
  let removed = 0
  for (;;) {
    const counts = await Promise.all(stores.map((one) => one.prune(NOW, 30)))
    for (const count of counts) expect(count).toBeLessThanOrEqual(30)
    removed += counts.reduce((sum, count) => sum + count, 0)
    if (counts.every((count) => count === 0)) break
  }
  expect(removed).toBe(200)
})

it('keeps a process alive for its calls, and no longer', async () => {
  const schema = newSchema()
  const child = fileURLToPath(new URL('../children/add-to-postgres-and-leave.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [child, await databaseUrl(), schema], {
    timeout: 100_000,
  })
  expect(stdout).toBe('answered\n')
  expect(await (await openForTest({ schema })).stores.issuer.issued.status('last')).toBeDefined()
})

it('says busy when a row stays locked, and leaves nothing behind', async () => {
  const schema = newSchema()
  const database = await openForTest({ schema, lockTimeoutMs: 50 })
  await database.stores.issuer.users.add(user)
  const blocker = await connect()
  await blocker.query('BEGIN')
  await blocker.query(`UPDATE ${schema}.revocation_log SET seq = seq WHERE id = 1`)
  await expect(database.stores.issuer.users.disable('ada', NOW, UNTIL)).rejects.toMatchObject({ code: 'busy' })
  await blocker.query('ROLLBACK')
  expect((await database.stores.issuer.users.byId('ada'))?.disabledAt).toBeNull()
  expect(await database.stores.issuer.users.disable('ada', NOW, UNTIL)).toBe(true)
})

it('runs a transaction again that others were in the way of', async () => {
  const schema = newSchema()
  const database = await openForTest({ schema })
  await database.stores.issuer.users.add(user)
  // Fails the first two times as a deadlock would.
  await query(
    await databaseUrl(),
    `CREATE SEQUENCE ${schema}.tries`,
    `CREATE FUNCTION ${schema}.fail() RETURNS trigger LANGUAGE plpgsql AS $$
       BEGIN
         IF nextval('${schema}.tries') <= 2 THEN RAISE EXCEPTION 'in the way' USING ERRCODE = '40P01'; END IF;
         RETURN NEW;
       END $$`,
    `CREATE TRIGGER fail BEFORE UPDATE ON ${schema}.users FOR EACH ROW EXECUTE FUNCTION ${schema}.fail()`,
  )
  expect(await database.stores.issuer.users.setPassword('ada', 'new', NOW, UNTIL)).toBe(true)
  expect(database.statistics().retries).toBe(2)
  expect((await database.stores.issuer.users.byId('ada'))?.generation).toBe(1)
})
