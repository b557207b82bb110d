import assert from 'node:assert/strict'
import type { ThrottleRecord, ThrottleStore } from '../ports.ts'
import { NOW, type Test } from './fixtures.ts'

const rule = { allowed: 3, windowSeconds: 60, baseSeconds: 2, maxSeconds: 900 }

async function at(throttle: ThrottleStore, key = 'ada'): Promise<ThrottleRecord | undefined> {
  return (await throttle.read([key])).get(key)
}

export function describeThrottle(test: Test): void {
  test('lets the allowance pass, then blocks for ever longer, up to the most', async ({ store: { throttle } }) => {
    const expected = [0, 0, 0, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]
    for (const [i, seconds] of expected.entries()) {
      const now = NOW + i
      await throttle.fail(['ada'], rule, now)
      assert.deepEqual(await at(throttle), {
        failures: i + 1,
        windowStartedAt: NOW,
        blockedUntil: seconds === 0 ? 0 : now + seconds,
      })
    }
  })

  test('blocks no longer than the most after very many failures', async ({ store: { throttle } }) => {
    for (let i = 0; i < 80; i++) await throttle.fail(['ada'], { ...rule, allowed: 0 }, NOW)
    assert.equal((await at(throttle))?.blockedUntil, NOW + 900)
  })

  test('starts anew when the window is over and stayed within its allowance', async ({ store: { throttle } }) => {
    await throttle.fail(['ada'], rule, NOW)
    await throttle.fail(['ada'], rule, NOW + 59)
    assert.deepEqual(await at(throttle), { failures: 2, windowStartedAt: NOW, blockedUntil: 0 })
    await throttle.fail(['ada'], rule, NOW + 60)
    assert.deepEqual(await at(throttle), { failures: 1, windowStartedAt: NOW + 60, blockedUntil: 0 })
  })

  test('keeps counting past the window once the allowance is used up', async ({ store: { throttle } }) => {
    let now = NOW
    for (let i = 0; i < 15; i++) {
      await throttle.fail(['ada'], rule, now)
      now = (await at(throttle))?.blockedUntil || now
    }
    const last = await at(throttle)
    assert.equal(last?.failures, 15)
    const blockedUntil = last?.blockedUntil ?? 0
    await throttle.fail(['ada'], rule, blockedUntil + 899)
    assert.deepEqual(await at(throttle), {
      failures: 16,
      windowStartedAt: NOW,
      blockedUntil: blockedUntil + 899 + 900,
    })
    const free = blockedUntil + 899 + 900 + 900
    await throttle.fail(['ada'], rule, free)
    assert.deepEqual(await at(throttle), { failures: 1, windowStartedAt: free, blockedUntil: 0 })
  })

  test('counts each key once, and every one of concurrent failures', async ({ store, another }) => {
    const stores = [store, (await another?.()) ?? store]
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        stores[i % 2]?.throttle.fail(
          i % 4 < 2 ? ['ada', '2001:db8::/64', 'ada'] : ['2001:db8::/64', 'ada'],
          { ...rule, allowed: 100 },
          NOW,
        ),
      ),
    )
    const found = await store.throttle.read(['ada', '2001:db8::/64', 'nobody', 'ada'])
    assert.deepEqual([...found.keys()].sort(), ['2001:db8::/64', 'ada'])
    assert.equal(found.get('ada')?.failures, 20)
    assert.equal(found.get('2001:db8::/64')?.failures, 20)
  })

  test('forgets a key that is cleared, and no other', async ({ store: { throttle } }) => {
    await throttle.fail(['ada', 'bob'], rule, NOW)
    await throttle.clear('ada')
    await throttle.clear('nobody')
    assert.equal(await at(throttle), undefined)
    assert.equal((await at(throttle, 'bob'))?.failures, 1)
    assert.equal((await throttle.read([])).size, 0)
    await throttle.fail([], rule, NOW)
  })
}
