import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { IssuerStores } from '@countersign/issuer'
import { memoryIssuerStores } from '@countersign/issuer/testing'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { openPostgres } from '../src/postgres.ts'
import { openSqlite, type SqliteDatabase } from '../src/sqlite.ts'
import { patient } from './postgres/patient.ts'
import { databaseUrl, newSchema } from './postgres/support.ts'
import { client, issued, NOW, refresh, session, user } from './records.ts'

/** How long a revocation is remembered. */
const UNTIL = NOW + 7_200

type Step = (stores: IssuerStores) => Promise<unknown>

const name = fc.constantFrom('a', 'b', 'c', 'é', '🔑')
const small = fc.nat(3)
const instant = fc.nat(40).map((tens) => NOW + 10 * tens)
const rule = fc.record({
  allowed: fc.nat(3),
  windowSeconds: fc.constantFrom(30, 60),
  baseSeconds: fc.constantFrom(1, 10),
  maxSeconds: fc.constantFrom(40, 100),
})

/** Few names, so that steps meet each other's traces. */
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(name, name).map(
    ([id, identifier]): Step =>
      (s) =>
        s.users.add({ ...user, id, identifier }),
  ),
  fc.tuple(name, name).map(
    ([id, other]): Step =>
      (s) =>
        s.clients.add({ ...client, id, name: other }),
  ),
  fc.tuple(name, instant).map(
    ([id, now]): Step =>
      (s) =>
        s.users.setPassword(id, `${now}`, now, UNTIL),
  ),
  fc.tuple(name, instant).map(
    ([id, now]): Step =>
      (s) =>
        s.users.disable(id, now, UNTIL),
  ),
  fc.tuple(name, instant).map(
    ([id, now]): Step =>
      (s) =>
        s.clients.disable(id, now, UNTIL),
  ),
  fc.tuple(name, name, name, small, small, instant).map(
    ([id, userId, clientId, ofUser, ofClient, createdAt]): Step =>
      (s) =>
        s.sessions.open({
          session: {
            ...session(id),
            userId,
            clientId,
            generations: [0, ofClient, ofUser],
            createdAt,
            expiresAt: createdAt + 200,
          },
          refresh: { ...refresh(`${id}0`, id), expiresAt: createdAt + 100 },
          issued: { ...issued(`${id}0`, id), expiresAt: createdAt + 60 },
        }),
  ),
  fc.tuple(name, name, small, small, instant).map(
    ([id, other, from, to, now]): Step =>
      (s) =>
        s.sessions.rotate({
          presentedHash: `${id}${from}`,
          successor: { ...refresh(`${id}${to}`, other), expiresAt: now + 100 },
          issued: { ...issued(`${id}${to}`, id), expiresAt: now + 60 },
          now,
        }),
  ),
  fc.tuple(name, instant).map(
    ([id, now]): Step =>
      (s) =>
        s.sessions.end(id, 'revoked', now, UNTIL),
  ),
  fc.tuple(name, small, instant).map(
    ([id, i, now]): Step =>
      (s) =>
        s.issued.revoke(`${id}${i}`, now, UNTIL),
  ),
  fc.tuple(name, name, instant).map(
    ([jti, id, at]): Step =>
      (s) =>
        s.issued.add({ ...issued(jti, id), expiresAt: at }),
  ),
  fc.tuple(fc.array(name), rule, instant).map(
    ([keys, r, now]): Step =>
      (s) =>
        s.throttle.fail(keys, r, now),
  ),
  name.map(
    (key): Step =>
      (s) =>
        s.throttle.clear(key),
  ),
  // All at once: which rows a smaller limit leaves is up to the store.
  instant.map(
    (before): Step =>
      (s) =>
        s.prune(before, 1_000),
  ),
)

async function everything(stores: IssuerStores): Promise<unknown> {
  const names = ['a', 'b', 'c', 'é', '🔑']
  const tokens = names.flatMap((id) => [id, ...[0, 1, 2, 3].map((i) => `${id}${i}`)])
  return {
    users: await stores.users.list({ limit: 100 }),
    clients: await stores.clients.list({ limit: 100 }),
    sessions: await Promise.all(names.map((id) => stores.sessions.byId(id))),
    ofUsers: await Promise.all(names.map((id) => stores.sessions.ofUser(id, { limit: 100 }))),
    refresh: await Promise.all(tokens.map((hash) => stores.sessions.byRefresh(hash))),
    issued: await Promise.all(tokens.map((jti) => stores.issued.status(jti))),
    revocations: (await stores.revocations.after(0, 1_000))?.events,
    inForce: (await stores.revocations.snapshot()).entries.map((one) => JSON.stringify(one)).sort(),
    unrevoked: await stores.unrevoked({ now: NOW, until: NOW + 720, skewSeconds: 120, limit: 100 }),
    throttle: [...(await stores.throttle.read(names))].sort(([a], [b]) => (a < b ? -1 : 1)),
  }
}

type Opened = Pick<SqliteDatabase, 'stores' | 'close'>

const engines: [name: string, open: () => Promise<Opened>][] = [
  [
    'openSqlite',
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'countersign-storage-'))
      const database = await openSqlite(join(directory, 'data.db'))
      return {
        stores: database.stores,
        async close() {
          await database.close()
          rmSync(directory, { recursive: true, force: true })
        },
      }
    },
  ],
  ['openPostgres', async () => openPostgres(await databaseUrl(), { ...patient, schema: newSchema() })],
]

it.each(engines)('%s does what the stores in memory do, whatever is asked', async (_, open) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80, size: 'max' }), async (steps) => {
      const database = await open()
      const model = memoryIssuerStores()
      try {
        for (const one of steps) {
          const [expected, actual] = await Promise.allSettled([one(model), one(database.stores.issuer)])
          expect(actual.status).toBe(expected.status)
          if (expected.status === 'fulfilled') expect(actual).toEqual(expected)
        }
        expect(await everything(database.stores.issuer)).toEqual(await everything(model))
      } finally {
        await database.close()
      }
    }),
    { numRuns: 8 },
  )
})
