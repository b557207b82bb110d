import { setTimeout as sleep } from 'node:timers/promises'
import { type PostgresServer, query, startProxy, startServer } from '@countersign-tooling/postgres'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { openPostgres, type PostgresDatabase, type PostgresEvent, type PostgresOptions } from '../../src/postgres.ts'
import { client, issued, NOW, refresh, session, user } from '../records.ts'
import { patient } from './patient.ts'
import { databaseUrl, newSchema } from './support.ts'

const UNTIL = NOW + 720

async function open(url: string, options: PostgresOptions = {}): Promise<PostgresDatabase> {
  const database = await openPostgres(url, { ...patient, ...options })
  onTestFinished(() => database.close())
  return database
}

const codeOf = (error: unknown): unknown => (error as { code: unknown }).code
const closed = (database: PostgresDatabase): Promise<void> => database.close()

/** From now on, commits wait for a standby. */
async function waitForStandbys(server: PostgresServer): Promise<void> {
  await query(server.url(), "ALTER SYSTEM SET synchronous_standby_names = '*'", 'SELECT pg_reload_conf()')
  await expect
    .poll(() => query(server.url(), 'SHOW synchronous_standby_names'))
    .toMatchObject([{ synchronous_standby_names: '*' }])
  // Until the server's checkpointer has read it too, no commit waits: it does that before a checkpoint.
  await query(server.url(), 'CHECKPOINT')
}

interface Writing {
  /** Resolves once so many more were acknowledged. */
  more(count: number): Promise<void>
  /** @returns what was acknowledged, and what failed */
  stop(): Promise<{ readonly done: readonly string[]; readonly failed: readonly unknown[] }>
}

/** Writes until told to stop. */
function writeOn(database: PostgresDatabase, prefix: string): Writing {
  const done: string[] = []
  const failed: unknown[] = []
  let isOver = false
  const walk = async (walker: number): Promise<void> => {
    for (let i = 0; !isOver; i++) {
      const jti = `${prefix}/${walker}/${i}`
      try {
        await database.stores.issuer.issued.add(issued(jti))
        done.push(jti)
        // Every now and then one that is a transaction of several statements.
        if (i % 4 === 0 && (await database.stores.issuer.issued.revoke(jti, NOW, UNTIL))) done.push(`${jti} revoked`)
      } catch (error) {
        failed.push(error)
        // A pause, not a proof: a server that is away refuses at once, and the walkers would spin.
        await sleep(5)
      }
    }
  }
  const walkers = Array.from({ length: 8 }, (_, i) => walk(i))
  return {
    more: (count) => {
      const wanted = done.length + count
      return expect.poll(() => done.length).toBeGreaterThanOrEqual(wanted)
    },
    stop: async () => {
      isOver = true
      await Promise.all(walkers)
      return { done, failed }
    },
  }
}

/** What was acknowledged and is not there. */
async function lost(database: PostgresDatabase, done: readonly string[]): Promise<readonly string[]> {
  const { entries } = await database.stores.issuer.revocations.snapshot()
  const revoked = new Set(entries.map((entry) => ('id' in entry ? entry.id : '')))
  const found = await Promise.all(
    done.map(async (what) => {
      const [jti = '', isRevoked] = what.split(' ')
      if (isRevoked !== undefined) return revoked.has(jti)
      return (await database.stores.issuer.issued.status(jti)) !== undefined
    }),
  )
  return done.filter((_, i) => found[i] !== true)
}

describe('a server of its own', () => {
  let server: PostgresServer
  beforeAll(async () => {
    server = await startServer({ durable: true })
  })
  afterAll(() => server.end())

  it('loses nothing that was acknowledged when the server crashes, and goes on', async () => {
    const events: PostgresEvent[] = []
    const database = await open(server.url(), { onEvent: (event) => events.push(event) })
    const writing = writeOn(database, 'crash')
    const interruptions = () => events.filter(({ type }) => type === 'disconnected').length
    for (let round = 1; round <= 2; round++) {
      await writing.more(30)
      await server.stop('immediate')
      await expect.poll(interruptions).toBe(round)
      await server.start()
    }
    await writing.more(30)
    const { done, failed } = await writing.stop()
    expect(await lost(database, done)).toEqual([])
    // Calls waited for the server. Only of a commit that was under way nobody can tell.
    expect(
      failed.map((error) => (error as { code: unknown }).code).filter((code) => code !== 'outcome_unknown'),
    ).toEqual([])
    expect(interruptions()).toBe(2)
    expect(events.at(-1)?.type).toBe('connected')
  })

  it('follows the primary when a replica takes its place', async () => {
    const replica = await server.replica()
    onTestFinished(() => replica.end())
    // Commits wait for the replica, as where nothing may be lost.
    await waitForStandbys(server)
    const both = `postgres://postgres@${server.host}:${server.port},${replica.host}:${replica.port}/postgres`
    const places: number[] = []
    const database = await open(both, {
      schema: 'failover',
      onEvent: (event) => event.type === 'connected' && places.push(event.port),
    })
    const writing = writeOn(database, 'failover')
    await writing.more(30)
    await server.stop('immediate')
    await replica.promote()
    await writing.more(30)
    const { done, failed } = await writing.stop()
    expect(await lost(database, done)).toEqual([])
    expect(
      failed.map((error) => (error as { code: unknown }).code).filter((code) => code !== 'outcome_unknown'),
    ).toEqual([])
    expect(places).toEqual([server.port, replica.port])
    await server.start()
  })

  it('takes no standby for a server', async () => {
    await query(server.url(), 'ALTER SYSTEM RESET synchronous_standby_names', 'SELECT pg_reload_conf()')
    const replica = await server.replica()
    onTestFinished(() => replica.end())
    // Or nothing answered in so short a time.
    const refusal = () => openPostgres(replica.url(), { ...patient, busyTimeoutMs: 500 }).then(closed, codeOf)
    await expect.poll(refusal).not.toBe('unavailable')
    expect(await refusal()).toBe('read_only')
    const standbyFirst = `postgres://postgres@${replica.host}:${replica.port},${server.host}:${server.port}/postgres`
    await (await open(standbyFirst, { schema: 'standby_first' })).check()
  })

  it('says that it does not know when no standby confirms', async () => {
    await query(server.url(), 'CREATE DATABASE unconfirmed')
    const database = await open(server.url('unconfirmed'), {})
    await database.stores.issuer.users.add(user)
    await waitForStandbys(server)
    const { issuer } = database.stores
    // As an administrator does who sees commits hang: the server then answers as if all were well.
    const giveUp = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
    for (const call of [
      () => issuer.users.setPassword('ada', 'new', NOW, UNTIL),
      () => issuer.issued.add(issued('a')),
    ]) {
      const answer = expect(call()).rejects.toMatchObject({ code: 'outcome_unknown' })
      await expect.poll(async () => (await query(server.url(), giveUp)).length).toBe(1)
      await answer
    }
    await query(server.url(), 'ALTER SYSTEM RESET synchronous_standby_names', 'SELECT pg_reload_conf()')
    await expect.poll(() => issuer.users.rehashPassword('ada', 'new', 'newer').catch(() => false)).toBe(true)
  })

  it('is not ready once the server is read-only', async () => {
    await query(server.url(), 'CREATE DATABASE demoted')
    const database = await open(server.url('demoted'), { busyTimeoutMs: 500 })
    await expect.poll(() => database.check().then(() => 'ready', codeOf)).toBe('ready')
    await query(
      server.url(),
      'ALTER DATABASE demoted SET default_transaction_read_only = on',
      "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = 'demoted'",
    )
    await expect.poll(() => database.check().then(() => 'ready', codeOf)).toBe('read_only')
    await query(server.url(), 'ALTER DATABASE demoted RESET default_transaction_read_only')
    await expect.poll(() => database.check().then(() => 'ready')).toBe('ready')
  })
})

describe('the network', () => {
  const through = async (options: PostgresOptions = {}) => {
    const direct = new URL(await databaseUrl())
    const proxy = await startProxy({ host: direct.hostname, port: Number(direct.port) })
    onTestFinished(() => proxy.close())
    const events: PostgresEvent['type'][] = []
    const schema = newSchema()
    const database = await open(`postgres://postgres@${proxy.host}:${proxy.port}${direct.pathname}`, {
      schema,
      // As long as a call waits for a server that is away.
      busyTimeoutMs: 3_000,
      pollIntervalMs: 50,
      onEvent: ({ type }) => events.push(type),
      ...options,
    })
    return { proxy, database, events, schema, directly: direct.href }
  }

  it('is cut: calls fail in time, nothing crashes, and all goes on afterwards', async () => {
    const { proxy, database, events } = await through()
    const { issuer } = database.stores
    let calls = 0
    database.onChange(() => calls++)
    await Promise.all(Array.from({ length: 20 }, (_, i) => issuer.issued.add(issued(`before ${i}`))))
    await expect.poll(() => proxy.connections).toBeGreaterThan(1)
    // Idle connections end as well as the one that listens.
    proxy.cut()
    const cut = [database.check(), issuer.issued.add(issued('cut')), issuer.users.byId('ada')]
    for (const call of await Promise.allSettled(cut)) expect(call).toMatchObject({ reason: { code: 'unavailable' } })
    proxy.resume()
    await expect.poll(() => database.check().then(() => 'ready')).toBe('ready')
    await issuer.issued.add(issued('after'))
    expect(events.filter((type) => type !== 'migrated' && type !== 'not_durable')).toEqual([
      'connected',
      'disconnected',
      'connected',
    ])
    const before = calls
    await issuer.issued.revoke('after', NOW, UNTIL)
    await expect.poll(() => calls).toBeGreaterThan(before)
  })

  it('answers every call that was under way when it closes, and none after', async () => {
    const database = await openPostgres(await databaseUrl(), { ...patient, schema: newSchema(), maxConnections: 2 })
    const { issuer } = database.stores
    const calls = Array.from({ length: 40 }, (_, i) => [
      issuer.issued.add(issued(`${i}`)),
      issuer.issued.revoke(`${i}`, NOW, UNTIL),
      issuer.users.byId('ada'),
    ]).flat()
    const closed = database.close()
    expect((await Promise.allSettled(calls)).map(({ status }) => status)).not.toContain('rejected')
    await closed
    await expect(issuer.users.byId('ada')).rejects.toMatchObject({ code: 'closed' })
    await expect(issuer.issued.add(issued('late'))).rejects.toMatchObject({ code: 'closed' })
  })

  it('waits for the server as long as a call may', async () => {
    const { proxy, database, events } = await through(patient)
    proxy.cut()
    const waiting = database.stores.issuer.issued.add(issued('patient'))
    await expect.poll(() => events).toContain('disconnected')
    proxy.resume()
    await waiting
    expect(await database.stores.issuer.issued.status('patient')).toBeDefined()
  })

  it('stalls without a word: calls fail in time', async () => {
    const { proxy, database } = await through({ statementTimeoutMs: 2_000 })
    await database.check()
    proxy.stall()
    await expect(database.check()).rejects.toMatchObject({ code: 'unavailable' })
    proxy.resume()
    await expect.poll(() => database.check().then(() => 'ready')).toBe('ready')
  })

  it('was silent from the start: says that nothing answers, and not that all is busy', async () => {
    const { proxy, directly } = await through()
    proxy.stall()
    const url = Object.assign(new URL(directly), { port: `${proxy.port}` }).href
    const opening = openPostgres(url, { busyTimeoutMs: 100, connectTimeoutMs: 2_000 })
    await expect(opening).rejects.toMatchObject({ code: 'unavailable' })
  })

  it('is cut during COMMIT: says that it does not know', async () => {
    const { proxy, database, directly, schema } = await through({ maxConnections: 1 })
    const { issuer } = database.stores
    await issuer.users.add(user)
    await issuer.clients.add(client)
    const entry = { session: session('one'), refresh: refresh('one/0', 'one'), issued: issued('one') }
    await issuer.sessions.open(entry)
    // As it is on the wire; READ COMMITTED is another matter.
    proxy.cutAfter('COMMIT\0')
    await expect(issuer.sessions.end('one', 'revoked', NOW, UNTIL)).rejects.toMatchObject({ code: 'outcome_unknown' })
    const direct = await open(directly, { schema })
    await expect.poll(async () => (await direct.stores.issuer.sessions.byId('one'))?.endReason).toBe('revoked')
  })

  it('is cut while rows of tokens are stored: finds out, and stores each once', async () => {
    const { proxy, database } = await through({ ...patient, maxConnections: 2 })
    const { issued: tokens } = database.stores.issuer
    await tokens.add(issued('taken'))
    for (const lists of [['alone'], ['first', 'second', 'third'], ['fourth', 'taken', 'fifth']]) {
      proxy.cutAfter(lists[0] as string)
      const settled = await Promise.allSettled(
        lists.map((jti) => tokens.add(issued(jti, jti === 'taken' ? 'other' : 'session'))),
      )
      expect(settled.map(({ status }) => status)).toEqual(
        lists.map((jti) => (jti === 'taken' ? 'rejected' : 'fulfilled')),
      )
      for (const jti of lists) expect(await tokens.status(jti)).toBeDefined()
    }
  })

  it('says what a server is not there for', async () => {
    const { proxy, directly } = await through()
    const to = (change: Partial<URL>): string => Object.assign(new URL(directly), change).href
    proxy.cut()
    const cases: [url: string, code: string][] = [
      [to({ port: `${proxy.port}` }), 'unavailable'],
      [to({ pathname: '/nobody-made-it' }), 'cannot_open'],
      [to({ search: '?sslmode=require' }), 'cannot_open'],
      [to({ search: '?sslmode=verify-full' }), 'cannot_open'],
    ]
    for (const [url, code] of cases) {
      // What waiting would not help against is said at once.
      const busyTimeoutMs = code === 'unavailable' ? 200 : 60_000
      await expect(openPostgres(url, { ...patient, busyTimeoutMs }), url).rejects.toMatchObject({ code })
    }
  })
})
