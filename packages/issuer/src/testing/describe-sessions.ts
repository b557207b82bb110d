import assert from 'node:assert/strict'
import type { IssuerStores, RefreshOutcome } from '../ports.ts'
import { addAccounts, client, issued, NOW, openSession, refresh, session, type Test, UNTIL, user } from './fixtures.ts'

export function describeSessions(test: Test): void {
  test('opens a session with its refresh token and access token', async ({ store }) => {
    await addAccounts(store)
    assert.equal(await openSession(store, 'one'), true)
    assert.deepEqual(await store.sessions.byId('one'), session('one'))
    assert.deepEqual(await store.sessions.byRefresh('one/0'), {
      refresh: refresh('one/0', { sessionId: 'one' }),
      session: session('one'),
      replayUntil: null,
      user: { id: 'ada', generation: 0, synthetic: false, disabledAt: null },
      globalGeneration: 0,
    })
    assert.deepEqual((await store.issued.status('one/jti'))?.issued, issued('one/jti', { sessionId: 'one' }))
    assert.equal(await store.sessions.byId('two'), undefined)
    assert.equal(await store.sessions.byRefresh('two/0'), undefined)
  })

  test('opens a session without a refresh token', async ({ store }) => {
    await addAccounts(store)
    assert.equal(
      await store.sessions.open({ session: session('one'), refresh: null, issued: issued('j', { sessionId: 'one' }) }),
      true,
    )
    assert.deepEqual(await store.sessions.byId('one'), session('one'))
  })

  test('stores nothing of a session that cannot be stored whole', async ({ store }) => {
    await addAccounts(store)
    await openSession(store, 'one')
    const taken = [
      { session: session('one'), refresh: refresh('new', { sessionId: 'one' }), issued: issued('new') },
      { session: session('two'), refresh: refresh('one/0', { sessionId: 'two' }), issued: issued('new') },
      { session: session('two'), refresh: refresh('new', { sessionId: 'two' }), issued: issued('one/jti') },
    ]
    // Beside others that succeed: one that fails must take none of its neighbours with it.
    const outcomes = await Promise.allSettled([
      ...taken.map((entry) => store.sessions.open(entry)),
      openSession(store, 'three'),
      openSession(store, 'four'),
    ])
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status),
      ['rejected', 'rejected', 'rejected', 'fulfilled', 'fulfilled'],
    )
    assert.equal(await store.sessions.byId('two'), undefined)
    assert.equal(await store.sessions.byRefresh('new'), undefined)
    assert.equal(await store.issued.status('new'), undefined)
    assert.notEqual(await store.sessions.byRefresh('three/0'), undefined)
    assert.notEqual(await store.sessions.byRefresh('four/0'), undefined)
  })

  test('opens none for a user or client that is missing, disabled or past the generations', async ({ store }) => {
    await addAccounts(store)
    await store.users.add(user('disabled user'))
    await store.clients.add(client('disabled client'))
    await store.users.add(user('bob', { generation: 4 }))
    await store.users.disable('disabled user', NOW, UNTIL)
    await store.clients.disable('disabled client', NOW, UNTIL)
    const refused: [why: string, more: Parameters<typeof openSession>[2]][] = [
      ['no such user', { userId: 'nobody' }],
      ['no such client', { clientId: 'nothing' }],
      ['user disabled', { userId: 'disabled user', generations: [0, 0, 9] }],
      ['client disabled', { clientId: 'disabled client', generations: [0, 9, 0] }],
      ['user past it', { userId: 'bob', generations: [0, 0, 3] }],
      ['issuer past it', { generations: [-1, 0, 0] }],
    ]
    for (const [why, more] of refused) {
      assert.equal(await openSession(store, 'one', more), false, why)
      assert.equal(await store.sessions.byId('one'), undefined, why)
      assert.equal(await store.issued.status('one/jti'), undefined, why)
    }
    assert.equal(await openSession(store, 'one', { userId: 'bob', generations: [0, 0, 4] }), true)
  })

  test('leaves no session alive when a user is disabled while sessions open', async ({ store, another }) => {
    const other = (await another?.()) ?? store
    for (let round = 0; round < 5; round++) {
      const userId = `user-${round}`
      await store.users.add(user(userId))
      if (round === 0) await store.clients.add(client('web'))
      const opening = Array.from({ length: 20 }, (_, i) => openSession(store, `${round}-${i}`, { userId }))
      await other.users.disable(userId, NOW + 1, UNTIL)
      await Promise.all(opening)
      const sessions = await store.sessions.ofUser(userId, { limit: 100 })
      assert.deepEqual(
        sessions.filter((one) => one.endedAt === null),
        [],
      )
    }
  })

  test('lists the newest sessions of a user first', async ({ store }) => {
    await addAccounts(store)
    await store.users.add(user('bob'))
    for (const [i, id] of ['a', 'b', 'c', 'd'].entries()) await openSession(store, id, { createdAt: NOW + i })
    await openSession(store, 'bobs', { userId: 'bob', createdAt: NOW + 9 })
    await store.sessions.end('d', 'signed_out', NOW + 9, UNTIL)
    const ids = async (limit: number) => (await store.sessions.ofUser('ada', { limit })).map((one) => one.id)
    assert.deepEqual(await ids(3), ['d', 'c', 'b'])
    assert.deepEqual(await ids(100), ['d', 'c', 'b', 'a'])
    assert.deepEqual(await ids(0), [])
    assert.deepEqual(await store.sessions.ofUser('nobody', { limit: 5 }), [])
  })

  test('ends a session once; the first reason stays', async ({ store }) => {
    await addAccounts(store)
    await openSession(store, 'one')
    const reasons = ['signed_out', 'revoked', 'refresh_reused'] as const
    const outcomes = await Promise.all(reasons.map((reason, i) => store.sessions.end('one', reason, NOW + i, UNTIL)))
    assert.equal(outcomes.filter(Boolean).length, 1)
    const first = outcomes.indexOf(true)
    const ended = { ...session('one'), endedAt: NOW + first, endReason: reasons[first] }
    assert.deepEqual(await store.sessions.byId('one'), ended)
    assert.equal(await store.sessions.end('one', 'revoked', NOW + 9, UNTIL), false)
    assert.deepEqual((await store.sessions.byRefresh('one/0'))?.session, ended)
    assert.equal(await store.sessions.end('nothing', 'revoked', NOW, UNTIL), false)
  })
}

const rotation = (from: string, to: string, now: number, id = 'one') => ({
  presentedHash: from,
  successor: refresh(to, { sessionId: id, createdAt: now, expiresAt: now + 1_000 }),
  issued: issued(`issued with ${to}`, { sessionId: id, issuedAt: now }),
  now,
})

async function nothingStored(store: IssuerStores, to: string): Promise<void> {
  assert.equal(await store.sessions.byRefresh(to), undefined)
  assert.equal(await store.issued.status(`issued with ${to}`), undefined)
}

export function describeRotation(test: Test): void {
  test('spends the presented token and stores the successor and the access token', async ({ store }) => {
    await addAccounts(store)
    await openSession(store, 'one')
    const entry = rotation('one/0', 'one/1', NOW + 5)
    assert.equal(await store.sessions.rotate(entry), 'rotated')
    assert.equal((await store.sessions.byRefresh('one/0'))?.refresh.spentAt, NOW + 5)
    assert.deepEqual((await store.sessions.byRefresh('one/1'))?.refresh, entry.successor)
    assert.deepEqual((await store.issued.status('issued with one/1'))?.issued, entry.issued)
    assert.equal(await store.sessions.rotate(rotation('one/1', 'one/2', NOW + 6)), 'rotated')
  })

  test('says spent for a spent token, and stores nothing', async ({ store, reopen }) => {
    await addAccounts(store)
    await openSession(store, 'one')
    await store.sessions.rotate(rotation('one/0', 'one/1', NOW + 5))
    assert.equal(await store.sessions.rotate(rotation('one/0', 'again', NOW + 6)), 'spent')
    await nothingStored(store, 'again')
    const later = (await reopen?.()) ?? store
    assert.equal(await later.sessions.rotate(rotation('one/0', 'again', NOW + 7)), 'spent')
    assert.equal((await later.sessions.byRefresh('one/0'))?.refresh.spentAt, NOW + 5)
    const idleOver = NOW + 31 * 86_400
    assert.equal(await later.sessions.rotate(rotation('one/0', 'again', idleOver)), 'spent', 'before expired')
    await nothingStored(later, 'again')
  })

  test('lets exactly one of 50 concurrent rotations of one token win', async ({ store, another }) => {
    const stores = [store, (await another?.()) ?? store]
    await addAccounts(store)
    for (let round = 0; round < 4; round++) {
      const id = `session-${round}`
      await openSession(store, id)
      const outcomes: (RefreshOutcome | undefined)[] = await Promise.all(
        Array.from({ length: 50 }, (_, i) =>
          stores[i % 2]?.sessions.rotate(rotation(`${id}/0`, `${id}/1/${i}`, NOW + 1, id)),
        ),
      )
      assert.equal(outcomes.filter((outcome) => outcome === 'rotated').length, 1)
      assert.equal(outcomes.filter((outcome) => outcome === 'spent').length, 49)
      for (const [i, outcome] of outcomes.entries()) {
        if (outcome === 'rotated') assert.notEqual(await store.sessions.byRefresh(`${id}/1/${i}`), undefined)
        else await nothingStored(store, `${id}/1/${i}`)
      }
    }
  })

  test('says invalid for what cannot be refreshed, and stores nothing', async ({ store }) => {
    await addAccounts(store)
    await store.users.add(user('bob'))
    await openSession(store, 'one')
    await openSession(store, 'ended')
    await openSession(store, 'short', { expiresAt: NOW + 10 })
    await openSession(store, 'bobs', { userId: 'bob' })
    await store.sessions.rotate(rotation('ended/0', 'ended/1', NOW, 'ended'))
    await store.sessions.end('ended', 'signed_out', NOW, UNTIL)
    await store.users.setPassword('bob', 'hash', NOW, UNTIL)
    const idleOver = refresh('x').expiresAt
    const refused: [why: string, entry: ReturnType<typeof rotation>][] = [
      ['unknown', rotation('nothing', 'new', NOW)],
      ['expired this very second', rotation('one/0', 'new', idleOver)],
      ['its session ended', rotation('ended/1', 'new', NOW, 'ended')],
      ['its session ended, and it is spent', rotation('ended/0', 'new', NOW, 'ended')],
      ['its session is past its absolute limit', rotation('short/0', 'new', NOW + 10, 'short')],
      ['its user changed the password', rotation('bobs/0', 'new', NOW, 'bobs')],
      ['the successor is of another session', rotation('one/0', 'new', NOW, 'bobs')],
    ]
    for (const [why, entry] of refused) {
      assert.equal(await store.sessions.rotate(entry), 'invalid', why)
      await nothingStored(store, 'new')
    }
    assert.equal((await store.sessions.byRefresh('one/0'))?.refresh.spentAt, null)
    assert.equal(await store.sessions.rotate(rotation('one/0', 'new', idleOver - 1)), 'rotated')
  })

  test('leaves the token unspent when the successor cannot be stored', async ({ store }) => {
    await addAccounts(store)
    await openSession(store, 'one')
    const entry = { ...rotation('one/0', 'one/1', NOW), issued: issued('one/jti', { sessionId: 'one' }) }
    await assert.rejects(store.sessions.rotate(entry))
    assert.equal((await store.sessions.byRefresh('one/0'))?.refresh.spentAt, null)
    assert.equal(await store.sessions.rotate(rotation('one/0', 'one/1', NOW)), 'rotated')
  })
}

export function describeIssued(test: Test): void {
  test('knows the status of what was issued', async ({ store }) => {
    const row = issued('j', { expiresAt: Number.MAX_SAFE_INTEGER, subject: '🔑 ключ', sessionId: 'made up' })
    await store.issued.add(row)
    assert.deepEqual(await store.issued.status('j'), { issued: row, revokedAt: null, sessionEndedAt: null })
    assert.equal(await store.issued.status('J'), undefined)
  })

  test('stores a jti once', async ({ store }) => {
    const outcomes = await Promise.allSettled([
      store.issued.add(issued('j')),
      store.issued.add(issued('j', { subject: 'mallory' })),
      store.issued.add(issued('k')),
    ])
    assert.deepEqual(
      outcomes.map((outcome) => outcome.status),
      ['fulfilled', 'rejected', 'fulfilled'],
    )
    assert.deepEqual((await store.issued.status('j'))?.issued, issued('j'))
    assert.deepEqual((await store.issued.status('k'))?.issued, issued('k'))
  })

  test('revokes once', async ({ store }) => {
    await store.issued.add(issued('j'))
    const outcomes = await Promise.all([1, 2, 3].map((i) => store.issued.revoke('j', NOW + i, UNTIL)))
    assert.equal(outcomes.filter(Boolean).length, 1)
    assert.equal((await store.issued.status('j'))?.revokedAt, NOW + 1 + outcomes.indexOf(true))
    assert.equal(await store.issued.revoke('nothing', NOW, UNTIL), false)
  })

  test('tells when the session ended', async ({ store }) => {
    await addAccounts(store)
    await openSession(store, 'one')
    assert.equal((await store.issued.status('one/jti'))?.sessionEndedAt, null)
    await store.sessions.end('one', 'revoked', NOW + 7, UNTIL)
    assert.equal((await store.issued.status('one/jti'))?.sessionEndedAt, NOW + 7)
  })

  test('keeps every row of 1,000 concurrent additions, over a close', async ({ store, reopen }) => {
    await Promise.all(Array.from({ length: 1_000 }, (_, i) => store.issued.add(issued(`j-${i}`))))
    const later = (await reopen?.()) ?? store
    const found = await Promise.all(Array.from({ length: 1_000 }, (_, i) => later.issued.status(`j-${i}`)))
    assert.equal(found.filter((one) => one !== undefined).length, 1_000)
  })
}
