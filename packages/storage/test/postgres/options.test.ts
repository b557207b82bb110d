import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { query, startServer } from '@countersign-tooling/postgres'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseConnectionString } from '../../src/postgres/connection-string.ts'
import { readOptions } from '../../src/postgres/options.ts'
import { openPostgres, type PostgresOptions } from '../../src/postgres.ts'
import { temporaryDirectory } from '../support.ts'
import { patient } from './patient.ts'
import { databaseUrl } from './support.ts'

const secret = 'p%40ss:w%2Ford'
const plain = 'p@ss:w/ord'

describe('the URL', () => {
  it('is read as libpq reads it', () => {
    const url = `postgresql://us%20er:${secret}@one.example.com:5433,[::1],10.0.0.1:6000/data%2Fbase?sslmode=require&application_name=a%20b`
    expect(parseConnectionString(url)).toEqual({
      addresses: [
        { host: 'one.example.com', port: 5433 },
        { host: '::1', port: 5432 },
        { host: '10.0.0.1', port: 6000 },
      ],
      user: 'us er',
      password: plain,
      database: 'data/base',
      parameters: new Map([
        ['sslmode', 'require'],
        ['application_name', 'a b'],
      ]),
    })
    expect(parseConnectionString('postgres://me@/data?host=/run/postgresql').addresses).toEqual([
      { host: '/run/postgresql', port: 5432 },
    ])
  })

  const refused: [why: string, url: string, says: string][] = [
    ['another scheme', `mysql://me:${secret}@host/data`, 'postgres://user@host:5432/database'],
    ['no user', 'postgres://host/data', 'must name a user'],
    ['no database', `postgres://me:${secret}@host/`, 'must name a database'],
    ['a port that is none', `postgres://me:${secret}@host:99999/data`, 'hosts and ports'],
    ['a bad host', `postgres://me:${secret}@ho[st/data`, 'hosts and ports'],
    ['a port without a host', `postgres://me:${secret}@host/data?port=1`, 'port after the host'],
    ['a broken escape', 'postgres://me:%zz@host/data', 'percent sign'],
    ['an unknown parameter', `postgres://me:${secret}@host/data?sslcompression=1`, 'not known: sslcompression'],
    ['a parameter twice', `postgres://me:${secret}@host/data?sslmode=require&sslmode=disable`, 'sslmode twice'],
    ['two ways to a host', `postgres://me:${secret}@host/data?host=/run`, 'name the host once'],
    ['a wish for a standby', `postgres://me:${secret}@host/data?target_session_attrs=any`, 'read-write'],
    ['too many hosts', `postgres://me:${secret}@${'host,'.repeat(16)}host/data`, '16 hosts'],
    ['TLS that falls back', `postgres://me:${secret}@host/data?sslmode=prefer`, 'sslmode must be one of'],
  ]
  it.each(refused)('is refused with %s', async (_, url, says) => {
    const refusal = await openPostgres(url).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ code: 'invalid_value', message: expect.stringContaining(says) })
    expect(inspect(refusal, { depth: 9 })).not.toMatch(/p%40ss|p@ss|w%2Ford|w\/ord/)
  })

  it('decides about TLS: none on this machine, all of it elsewhere', async () => {
    const tls = async (url: string, options: PostgresOptions = {}) =>
      (await readOptions(url, options)).places.map((place) => place.tls)
    expect(await tls('postgres://me@localhost,127.0.0.9,[::1]/data')).toEqual([false, false, false])
    expect(await tls('postgres://me@/data?host=/run/postgresql')).toEqual([false])
    expect(await tls('postgres://me@db.example.com,localhost/data')).toEqual([
      { minVersion: 'TLSv1.2', rejectUnauthorized: true },
      false,
    ])
    expect(await tls('postgres://me@localhost/data?sslmode=verify-full', { tls: { ca: 'PEM' } })).toEqual([
      { minVersion: 'TLSv1.2', rejectUnauthorized: true, ca: 'PEM' },
    ])
    expect(await tls('postgres://me@db/data?sslmode=require')).toEqual([
      { minVersion: 'TLSv1.2', rejectUnauthorized: false },
    ])
    expect(await tls('postgres://me@db/data?sslmode=verify-full', { tls: { mode: 'disable' } })).toEqual([false])
    await expect(tls('postgres://me@db/data?sslrootcert=/nowhere')).rejects.toMatchObject({ code: 'cannot_open' })
  })
})

describe('options', () => {
  const cases: [option: PostgresOptions, name: string][] = [
    [{ maxConnections: 0 }, 'maxConnections'],
    [{ maxConnections: 1_001 }, 'maxConnections'],
    [{ maxPending: 0 }, 'maxPending'],
    [{ busyTimeoutMs: 99 }, 'busyTimeoutMs'],
    [{ busyTimeoutMs: 60_001 }, 'busyTimeoutMs'],
    [{ connectTimeoutMs: 99 }, 'connectTimeoutMs'],
    [{ statementTimeoutMs: 99 }, 'statementTimeoutMs'],
    [{ lockTimeoutMs: 9 }, 'lockTimeoutMs'],
    [{ idleInTransactionTimeoutMs: 999 }, 'idleInTransactionTimeoutMs'],
    [{ idleTimeoutMs: 999 }, 'idleTimeoutMs'],
    [{ lifetimeMs: 999 }, 'lifetimeMs'],
    [{ pollIntervalMs: 9 }, 'pollIntervalMs'],
    [{ pollIntervalMs: 1.5 }, 'pollIntervalMs'],
    [{ schema: 'Public' }, 'schema'],
    [{ schema: 'pg_mine' }, 'schema'],
    [{ schema: 'a"; DROP TABLE users; --' }, 'schema'],
    [{ schema: 'x'.repeat(49) }, 'schema'],
  ]
  it.each(cases)('%o is out of bounds', async (options, name) => {
    await expect(openPostgres('postgres://me@localhost/data', options)).rejects.toMatchObject({
      code: 'invalid_value',
      message: expect.stringContaining(name),
    })
  })

  it('refuses more waiting calls than it was told to hold', async () => {
    const options = { ...patient, schema: 'pending', maxConnections: 1, maxPending: 3 }
    const database = await openPostgres(await databaseUrl(), options)
    const settled = await Promise.allSettled(Array.from({ length: 8 }, () => database.stores.issuer.users.byId('x')))
    const refused = settled.filter((one) => one.status === 'rejected')
    expect(refused.length).toBeGreaterThan(0)
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'busy' })
    await database.close()
  })

  it('closes connections that nobody uses, and makes old ones anew', async () => {
    const database = await openPostgres(await databaseUrl(), {
      ...patient,
      schema: 'idle',
      idleTimeoutMs: 2_000,
      lifetimeMs: 1_000,
    })
    await Promise.all(Array.from({ length: 8 }, () => database.stores.issuer.users.byId('x')))
    await expect.poll(() => database.statistics().connections).toBeGreaterThan(1)
    await expect.poll(() => database.statistics().connections).toBe(0)
    await database.check()
    await database.close()
  })
})

describe('passwords', () => {
  beforeAll(async () => {
    await query(
      await databaseUrl(),
      'DROP ROLE IF EXISTS guarded',
      `CREATE ROLE guarded LOGIN SUPERUSER PASSWORD '${plain}'`,
    )
  })
  const as = async (password: string): Promise<string> =>
    (await databaseUrl()).replace('postgres@', `guarded${password}@`)

  it('come from the URL or from a function, which is asked each time', async () => {
    const first = await openPostgres(await as(`:${secret}`), { ...patient, schema: 'passwords' })
    await first.check()
    await first.close()
    let asked = 0
    const password = async (): Promise<string> => {
      asked += 1
      return plain
    }
    const second = await openPostgres(await as(':wrong'), { ...patient, schema: 'passwords', password })
    await Promise.all(Array.from({ length: 6 }, () => second.check()))
    expect(asked).toBeGreaterThan(1)
    await second.close()
  })

  it('are shown to nobody, right or wrong', async () => {
    const wrong = 'hunter2-hunter2'
    for (const options of [{}, { password: wrong }, { password: () => wrong }]) {
      const refusal = await openPostgres(await as(`:${wrong}`), { ...patient, ...options }).catch(
        (error: unknown) => error,
      )
      expect(refusal).toMatchObject({ code: 'cannot_open' })
      expect(inspect(refusal, { depth: 9, showHidden: true })).not.toContain(wrong)
    }
    const none = openPostgres(await as(''), patient)
    await expect(none).rejects.toMatchObject({ code: 'cannot_open' })
    const broken = openPostgres(await as(''), { ...patient, password: () => Promise.reject(new Error('no vault')) })
    await expect(broken).rejects.toMatchObject({ code: 'cannot_open', message: 'The password could not be got.' })
    const database = await openPostgres(await as(`:${secret}`), { ...patient, schema: 'passwords' })
    expect(inspect(database, { depth: 9, showHidden: true })).not.toContain(plain)
    await database.close()
  })
})

describe('TLS', () => {
  let folder: string
  let server: Awaited<ReturnType<typeof startServer>>
  const pem = (name: string): string => readFileSync(join(folder, name), 'utf8')

  /** An authority, and a certificate of it for the name `localhost` alone. */
  function makeCertificates(): void {
    const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' })
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '3650']
    openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=Test CA')
    openssl('req', '-x509', ...key, '-keyout', 'other.key', '-out', 'other.crt', '-subj', '/CN=Other CA')
    openssl('req', ...key.slice(0, 5), '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost')
    writeFileSync(join(folder, 'names'), 'subjectAltName=DNS:localhost\n')
    const sign = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '3650', '-extfile', 'names']
    openssl('x509', '-req', '-in', 'server.csr', ...sign, '-out', 'server.crt')
  }

  beforeAll(async () => {
    folder = temporaryDirectory(afterAll)
    makeCertificates()
    server = await startServer({ tls: { cert: pem('server.crt'), key: pem('server.key') } })
  })
  afterAll(() => server.end())

  const outcomes: [host: string, mode: string, ca: string | undefined, outcome: string][] = [
    ['localhost', 'verify-full', 'ca.crt', 'encrypted'],
    ['127.0.0.1', 'verify-full', 'ca.crt', 'cannot_open'],
    ['127.0.0.1', 'verify-ca', 'ca.crt', 'encrypted'],
    ['localhost', 'verify-full', 'other.crt', 'cannot_open'],
    ['localhost', 'verify-ca', 'other.crt', 'cannot_open'],
    ['localhost', 'verify-full', undefined, 'cannot_open'],
    ['127.0.0.1', 'require', undefined, 'encrypted'],
    ['127.0.0.1', 'disable', undefined, 'plain'],
  ]
  let openings = 0
  it.each(outcomes)('to %s with %s and %s: %s', async (host, mode, ca, outcome) => {
    const root = ca === undefined ? '' : `&sslrootcert=${encodeURIComponent(join(folder, ca))}`
    const url = `postgres://postgres@${host}:${server.port}/postgres?sslmode=${mode}${root}`
    // Its own: the server may show a connection a moment longer than it is there.
    openings += 1
    const applicationName = `tls ${openings}`
    const reached = async (): Promise<string> => {
      try {
        const database = await openPostgres(url, { ...patient, schema: 'tls', applicationName })
        await database.check()
        const [row] = await query(
          server.url(),
          `SELECT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = '${applicationName}'`,
        )
        await database.close()
        return (row as { ssl: boolean }).ssl ? 'encrypted' : 'plain'
      } catch (error) {
        return (error as { code: string }).code
      }
    }
    expect(await reached()).toBe(outcome)
  })

  it('takes a socket of this machine', async () => {
    const host = encodeURIComponent(join(server.folder, 'socket'))
    const url = `postgres://postgres@/postgres?host=${host}`
    // Its name has the port in it.
    await expect(openPostgres(url, { busyTimeoutMs: 100 })).rejects.toMatchObject({ code: 'unavailable' })
    const database = await openPostgres(`${url}&port=${server.port}`, { ...patient, schema: 'tls' })
    await database.check()
    await database.close()
  })
})
