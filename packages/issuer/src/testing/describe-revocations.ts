import assert from 'node:assert/strict'
import type { StoreUnderTest, TestRunner } from '@countersign/keys/testing'
import type { RevocationEntry } from '@countersign/revocation'
import { describeAcknowledgementStore, describeRevocationLog } from '@countersign/revocation/testing'
import type { IssuerStores } from '../ports.ts'
import { addAccounts, client, issued, NOW, openSession, refresh, session, type Test, user } from './fixtures.ts'

const until = NOW + 720

/** The suites of the ports that belong to another package, over the same stores. */
export function describeRevocationPorts(
  name: string,
  open: () => Promise<StoreUnderTest<IssuerStores>>,
  runner: TestRunner,
): void {
  const part = <Store>(of: (stores: IssuerStores) => Store) => {
    return async (): Promise<StoreUnderTest<Store>> => {
      const { store, reopen, another, close } = await open()
      return {
        store: of(store),
        close,
        ...(reopen === undefined ? {} : { reopen: async () => of(await reopen()) }),
        ...(another === undefined ? {} : { another: async () => of(await another()) }),
      }
    }
  }
  describeRevocationLog(
    name,
    part((stores) => stores.revocations),
    runner,
  )
  describeAcknowledgementStore(
    name,
    part((stores) => stores.acknowledgements),
    runner,
  )
}

async function added(store: IssuerStores): Promise<readonly RevocationEntry[]> {
  return (await store.revocations.after(0, 1_000))?.events.map(({ entry }) => entry) ?? []
}

const wanted = { now: NOW + 10, until: NOW + 10 + 720, skewSeconds: 120, limit: 100 }

export function describeRevocations(test: Test): void {
  test('appends what it revokes to the log, once', async ({ store }) => {
    await addAccounts(store)
    await store.users.add(user('bob'))
    await store.clients.add(client('etl'))
    await openSession(store, 'one')
    await store.issued.add(issued('alone'))
    assert.deepEqual(await added(store), [])

    for (let twice = 0; twice < 2; twice++) {
      await store.sessions.end('one', 'revoked', NOW + 1, until)
      await store.issued.revoke('alone', NOW + 2, until)
      await store.users.disable('bob', NOW + 3, until)
      await store.clients.disable('etl', NOW + 4, until)
    }
    await store.users.setPassword('ada', 'new hash', NOW + 5, until)
    await store.users.setPassword('ada', 'newer hash', NOW + 6, until + 1)
    assert.deepEqual(await added(store), [
      { type: 'sid', id: 'one', until },
      { type: 'jti', id: 'alone', until },
      { type: 'subject', id: 'bob', minGeneration: 1, until },
      { type: 'client', id: 'etl', minGeneration: 1, until },
      { type: 'subject', id: 'ada', minGeneration: 1, until },
      { type: 'subject', id: 'ada', minGeneration: 2, until: until + 1 },
    ])
    assert.equal((await store.revocations.snapshot()).entries.length, 5)
  })

  test('appends nothing for what is not there', async ({ store }) => {
    await store.sessions.end('nothing', 'revoked', NOW, until)
    await store.issued.revoke('nothing', NOW, until)
    await store.users.disable('nobody', NOW, until)
    await store.users.setPassword('nobody', 'hash', NOW, until)
    await store.clients.disable('nothing', NOW, until)
    assert.equal((await store.revocations.snapshot()).position.seq, 0)
  })

  test('finds what should be in the log and is not', async ({ store }) => {
    await addAccounts(store)
    await store.users.add(user('gone', { disabledAt: NOW, generation: 3 }))
    await store.users.add(user('long gone', { disabledAt: NOW - 711, generation: 3 }))
    await store.users.add(user('never here', { disabledAt: NOW }))
    await store.clients.add(client('old', { disabledAt: NOW, generation: 1 }))
    await openSession(store, 'alive')
    // As an older program would have left it: ended, and not in the log.
    await store.sessions.open({
      session: session('ended', { endedAt: NOW, endReason: 'revoked' }),
      refresh: refresh('ended/0', { sessionId: 'ended' }),
      issued: issued('ended/jti', { sessionId: 'ended' }),
    })
    await store.sessions.open({
      session: session('over', { endedAt: NOW, endReason: 'revoked' }),
      refresh: null,
      issued: issued('over/jti', { sessionId: 'over', expiresAt: NOW - 111 }),
    })
    const missing = [
      { type: 'sid', id: 'ended', until: wanted.until },
      { type: 'subject', id: 'gone', minGeneration: 3, until: wanted.until },
      { type: 'client', id: 'old', minGeneration: 1, until: wanted.until },
    ] as const
    assert.deepEqual(await store.unrevoked(wanted), missing)
    assert.deepEqual((await store.unrevoked({ ...wanted, limit: 1 })).length, 1)
    await store.revocations.append(missing, NOW)
    assert.deepEqual(await store.unrevoked(wanted), [])
  })

  test('takes a generation for the sessions under it', async ({ store }) => {
    await addAccounts(store)
    const ended = { endedAt: NOW, endReason: 'revoked' } as const
    for (const [id, userId] of [
      ['one', 'ada'],
      ['two', 'bob'],
    ] as const) {
      await store.users.add(user(userId))
      await store.sessions.open({
        session: session(id, { ...ended, userId }),
        refresh: null,
        issued: issued(id, { sessionId: id }),
      })
    }
    await store.revocations.append([{ type: 'subject', id: 'ada', minGeneration: 1, until }], NOW)
    assert.deepEqual(
      (await store.unrevoked(wanted)).map((entry) => 'id' in entry && entry.id),
      ['two'],
    )
    await store.revocations.append([{ type: 'client', id: 'web', minGeneration: 1, until }], NOW)
    assert.deepEqual(await store.unrevoked(wanted), [])
    await store.sessions.end('one', 'revoked', NOW, until)
  })

  test('leaves nothing to find of what went the usual way', async ({ store }) => {
    await addAccounts(store)
    await store.clients.add(client('phone'))
    await openSession(store, 'one')
    await openSession(store, 'two', { clientId: 'phone' })
    await store.issued.add(issued('alone'))
    await store.issued.revoke('alone', NOW + 2, until + 2)
    await store.sessions.end('one', 'revoked', NOW + 1, until + 1)
    await store.clients.disable('phone', NOW + 4, until + 4)
    await store.users.disable('ada', NOW + 3, until + 3)
    assert.deepEqual(await store.unrevoked(wanted), [])
    // Nor once the entries were dropped: nothing that they were for can be valid any more.
    const after = until + 5
    await store.revocations.dropExpired(after, 100)
    assert.deepEqual((await store.revocations.snapshot()).entries, [])
    assert.deepEqual(await store.unrevoked({ ...wanted, now: after, until: after + 720 }), [])
  })

  test('counts the living tokens of keys by audience', async ({ store }) => {
    assert.equal(await store.issued.latestExpiry(), undefined)
    for (const [jti, more] of [
      ['a', { kid: 'k1', audience: 'x', expiresAt: NOW + 5 }],
      ['b', { kid: 'k1', audience: 'x', expiresAt: NOW + 9 }],
      ['c', { kid: 'k1', audience: 'y', expiresAt: NOW + 7 }],
      ['d', { kid: 'k1', audience: 'y', expiresAt: NOW }],
      ['e', { kid: 'k2', audience: 'x', expiresAt: NOW + 8 }],
      ['f', { kid: 'k3', audience: 'x', expiresAt: NOW + 8 }],
    ] as const) {
      await store.issued.add(issued(jti, more))
    }
    assert.deepEqual(await store.issued.liveByKey(['k2', 'k1', 'k9', 'k1'], NOW), [
      { kid: 'k1', audience: 'x', tokens: 2, until: NOW + 9 },
      { kid: 'k1', audience: 'y', tokens: 1, until: NOW + 7 },
      { kid: 'k2', audience: 'x', tokens: 1, until: NOW + 8 },
    ])
    assert.equal(await store.issued.latestExpiry(), NOW + 9)
  })
}

const rotation = (from: string, to: string, now: number, sealed?: string) => ({
  presentedHash: from,
  successor: refresh(to, { sessionId: 'one', createdAt: now, expiresAt: now + 1_000 }),
  issued: issued(`issued with ${to}`, { sessionId: 'one', issuedAt: now }),
  now,
  ...(sealed === undefined ? {} : { replay: { sealed, until: now + 10 } }),
})

export function describeReplay(test: Test): void {
  test('gives what was sealed to repeats in time, and stores no second successor', async ({ store, reopen }) => {
    await addAccounts(store)
    await openSession(store, 'one')
    assert.equal(await store.sessions.rotate(rotation('one/0', 'one/1', NOW, 'sealed')), 'rotated')
    assert.equal((await store.sessions.byRefresh('one/0'))?.replayUntil, NOW + 10)
    const repeat = rotation('one/0', 'again', NOW + 9, 'other')
    assert.deepEqual(await store.sessions.rotate(repeat), { replayed: 'sealed' })
    assert.equal(await store.sessions.byRefresh('again'), undefined)
    assert.notEqual(await store.issued.status('issued with again'), undefined)
    const later = (await reopen?.()) ?? store
    assert.deepEqual(await later.sessions.rotate(rotation('one/0', 'once more', NOW + 9)), { replayed: 'sealed' })
    assert.equal(await later.sessions.rotate(rotation('one/0', 'late', NOW + 10)), 'spent')
    assert.equal(await later.issued.status('issued with late'), undefined)
  })

  test('ends it at the first use of the successor', async ({ store }) => {
    await addAccounts(store)
    await openSession(store, 'one')
    await store.sessions.rotate(rotation('one/0', 'one/1', NOW, 'first'))
    assert.equal(await store.sessions.rotate(rotation('one/1', 'one/2', NOW + 1, 'second')), 'rotated')
    assert.equal((await store.sessions.byRefresh('one/0'))?.replayUntil, null)
    assert.equal(await store.sessions.rotate(rotation('one/0', 'again', NOW + 2)), 'spent')
    assert.deepEqual(await store.sessions.rotate(rotation('one/1', 'again', NOW + 2)), { replayed: 'second' })
  })

  test('ends it with the session, and forgets what is over', async ({ store }) => {
    await addAccounts(store)
    await openSession(store, 'one')
    await store.sessions.rotate(rotation('one/0', 'one/1', NOW, 'sealed'))
    assert.equal(await store.sessions.forgetReplays(NOW + 9), 0)
    assert.equal((await store.sessions.byRefresh('one/0'))?.replayUntil, NOW + 10)
    assert.equal(await store.sessions.forgetReplays(NOW + 10), 1)
    assert.equal((await store.sessions.byRefresh('one/0'))?.replayUntil, null)
    assert.equal(await store.sessions.forgetReplays(NOW + 10), 0)

    await store.sessions.rotate(rotation('one/1', 'one/2', NOW + 20, 'sealed'))
    await store.sessions.end('one', 'revoked', NOW + 21, until)
    assert.equal(await store.sessions.rotate(rotation('one/1', 'again', NOW + 22)), 'invalid')
  })

  test('gives one successor to 50 concurrent repeats, in two places at once', async ({ store, another }) => {
    const stores = [store, (await another?.()) ?? store]
    await addAccounts(store)
    await openSession(store, 'one')
    const outcomes = await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        stores[i % 2]?.sessions.rotate(rotation('one/0', `one/1/${i}`, NOW + 1, `sealed ${i}`)),
      ),
    )
    const winner = outcomes.indexOf('rotated')
    const expected = outcomes.map((_, i) => (i === winner ? 'rotated' : { replayed: `sealed ${winner}` }))
    assert.deepEqual(outcomes, expected)
  })
}
