import assert from 'node:assert/strict'
import { addAccounts, issued, NOW, openSession, refresh, session, type Test, UNTIL } from './fixtures.ts'

export function describePruning(test: Test): void {
  test('removes issued rows that ended before, and no others', async ({ store }) => {
    await store.issued.add(issued('old', { expiresAt: NOW - 1 }))
    await store.issued.add(issued('edge', { expiresAt: NOW }))
    await store.issued.add(issued('new', { expiresAt: NOW + 1 }))
    assert.equal(await store.prune(NOW, 100), 1)
    assert.equal(await store.issued.status('old'), undefined)
    assert.notEqual(await store.issued.status('edge'), undefined)
    assert.notEqual(await store.issued.status('new'), undefined)
    assert.equal(await store.prune(NOW, 100), 0)
  })

  test('removes at most so many rows a call', async ({ store }) => {
    await Promise.all(
      Array.from({ length: 25 }, (_, i) => store.issued.add(issued(`${i}`, { expiresAt: NOW - 1 - i }))),
    )
    assert.equal(await store.prune(NOW, 0), 0)
    assert.equal(await store.prune(NOW, 10), 10)
    assert.equal(await store.prune(NOW, 10), 10)
    assert.equal(await store.prune(NOW, 10), 5)
    assert.equal(await store.prune(NOW, 10), 0)
  })

  test('removes a session with its refresh tokens, a row at a time', async ({ store }) => {
    await addAccounts(store)
    await openSession(store, 'one', { expiresAt: NOW + 1_000 })
    for (let i = 0; i < 5; i++) {
      await store.sessions.rotate({
        presentedHash: `one/${i}`,
        successor: refresh(`one/${i + 1}`, { sessionId: 'one' }),
        issued: issued(`one/jti/${i}`, { sessionId: 'one' }),
        now: NOW + i,
      })
    }
    assert.equal(await store.prune(NOW + 600, 100), 0)
    let removed = 0
    for (;;) {
      const count = await store.prune(NOW + 1_001, 2)
      assert.ok(count <= 2)
      removed += count
      if (count === 0) break
    }
    assert.equal(removed, 6 + 6 + 1)
    assert.equal(await store.sessions.byId('one'), undefined)
    assert.equal(await store.sessions.byRefresh('one/5'), undefined)
    assert.notEqual(await store.users.byId('ada'), undefined)
  })

  test('remembers the end of a session for as long as its tokens could live', async ({ store }) => {
    await addAccounts(store)
    await openSession(store, 'one')
    await store.issued.add(issued('late', { sessionId: 'one', expiresAt: NOW + 5_000 }))
    await store.sessions.end('one', 'revoked', NOW + 1, UNTIL)
    await store.prune(NOW + 700, 100)
    assert.equal((await store.issued.status('late'))?.sessionEndedAt, NOW + 1)
    assert.equal((await store.sessions.byId('one'))?.endReason, 'revoked')
    await store.prune(NOW + 5_001, 100)
    assert.equal(await store.sessions.byId('one'), undefined)
  })

  test('keeps spent refresh tokens of a live session: their reuse must be seen', async ({ store }) => {
    await addAccounts(store)
    await openSession(store, 'one')
    const entry = { successor: refresh('one/1', { sessionId: 'one' }), issued: issued('j', { sessionId: 'one' }) }
    await store.sessions.rotate({ presentedHash: 'one/0', ...entry, now: NOW + 1 })
    await store.prune(NOW + 86_400, 100)
    assert.deepEqual((await store.sessions.byRefresh('one/0'))?.session, session('one'))
    assert.equal(await store.sessions.rotate({ presentedHash: 'one/0', ...entry, now: NOW + 86_400 }), 'spent')
  })

  test('removes throttle rows once they count as if they had never been', async ({ store }) => {
    const rule = { allowed: 1, windowSeconds: 60, baseSeconds: 10, maxSeconds: 900 }
    await store.throttle.fail(['within', 'past'], rule, NOW)
    await store.throttle.fail(['past'], rule, NOW)
    assert.equal(await store.prune(NOW + 61, 100), 1)
    assert.deepEqual([...(await store.throttle.read(['within', 'past'])).keys()], ['past'])
    assert.equal(await store.prune(NOW + 910, 100), 0)
    assert.equal(await store.prune(NOW + 911, 100), 1)
  })

  test('starts at global generation 0, and is well', async ({ store }) => {
    assert.equal(await store.globalGeneration(), 0)
    await store.check()
  })
}
