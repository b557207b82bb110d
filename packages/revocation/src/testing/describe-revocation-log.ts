import type { RevocationEntry, RevocationEvent } from '../entry.ts'
import type { RevocationLog } from '../ports.ts'
import { equal, type StoreUnderTest, type Test, type TestRunner, testWith } from './runner.ts'

const NOW = 1_700_000_000

const jti = (id: string, until = NOW + 600): RevocationEntry => ({ type: 'jti', id, until })
const publicJwk = (kid: string) => ({ kty: 'OKP', crv: 'Ed25519', x: kid, kid, alg: 'EdDSA', use: 'sig' }) as const

const keyOf = (entry: RevocationEntry): string => `${entry.type} ${'id' in entry ? entry.id : ''}`

/** What a follower ends up with. */
function replay(events: readonly RevocationEvent[]): RevocationEntry[] {
  const held = new Map<string, RevocationEntry>()
  for (const { change, entry } of events) {
    if (change === 'add') held.set(keyOf(entry), entry)
    else held.delete(keyOf(entry))
  }
  return byKey([...held.values()])
}

const byKey = (entries: readonly RevocationEntry[]): RevocationEntry[] =>
  [...entries].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))

async function all(log: RevocationLog): Promise<readonly RevocationEvent[]> {
  const read = await log.after(0, 10_000)
  if (read === undefined) throw new Error('the events from the first on are not kept')
  return read.events
}

/**
 * The suite that every {@link RevocationLog} has to pass.
 *
 * @example A log of your own
 * import { describe, it } from 'vitest'
 * describeRevocationLog('my log', async () => ({ store: await openMine(), close: async () => {} }), { describe, it })
 */
export function describeRevocationLog(
  name: string,
  open: () => Promise<StoreUnderTest<RevocationLog>>,
  runner: TestRunner,
): void {
  const test = testWith(open, runner)
  runner.describe(`${name}: revocation log`, () => {
    describeAppending(test)
    describeDropping(test)
  })
}

function describeAppending(test: Test<RevocationLog>): void {
  test('begins empty, at seq 0', async ({ store }) => {
    const { position, entries } = await store.snapshot()
    equal([position.seq, entries], [0, []])
    equal((await store.after(0, 10))?.events, [])
    if (!(position.epoch > 0)) throw new Error('the epoch must be above 0')
  })

  test('gives every kind of entry back as it came', async ({ store }) => {
    const entries: RevocationEntry[] = [
      jti('a'),
      { type: 'sid', id: 'a', until: NOW + 60 },
      { type: 'kid', id: 'k1', successor: publicJwk('k2') },
      { type: 'kid', id: 'k0' },
      { type: 'client', id: 'client_1', minGeneration: 3, until: NOW + 60 },
      { type: 'subject', id: 'ключ 🔑', minGeneration: 1, until: NOW + 60 },
      { type: 'global', minGeneration: 1, until: NOW + 60 },
    ]
    const position = await store.append(entries, NOW)
    equal(position.seq, entries.length)
    const snapshot = await store.snapshot()
    equal(snapshot.position, position)
    equal(byKey(snapshot.entries), byKey(entries))
    equal(
      await all(store),
      entries.map((entry, i) => ({ seq: i + 1, change: 'add', entry })),
    )
  })

  test('hands the events out in order, a page at a time', async ({ store }) => {
    await store.append(
      ['a', 'b', 'c', 'd'].map((id) => jti(id)),
      NOW,
    )
    const page = await store.after(1, 2)
    equal(
      page?.events.map(({ seq }) => seq),
      [2, 3],
    )
    equal((await store.after(4, 2))?.events, [])
    equal((await store.after(3, 0))?.events, [])
    equal(page?.position.seq, 4)
  })

  test('knows nothing after a seq that it has not reached: the follower is of another life', async ({ store }) => {
    await store.append([jti('a')], NOW)
    equal(await store.after(2, 10), undefined)
  })

  test('adds no event for what it holds already', async ({ store }) => {
    const entries: RevocationEntry[] = [
      jti('a'),
      { type: 'kid', id: 'k1', successor: publicJwk('k2') },
      { type: 'subject', id: 'ada', minGeneration: 2, until: NOW + 60 },
    ]
    await store.append(entries, NOW)
    const weaker: RevocationEntry[] = [
      jti('a', NOW + 1),
      { type: 'kid', id: 'k1' },
      { type: 'kid', id: 'k1', successor: publicJwk('k3') },
      { type: 'subject', id: 'ada', minGeneration: 1, until: NOW + 60 },
    ]
    equal((await store.append([...entries, ...weaker], NOW + 1)).seq, 3)
    equal(byKey((await store.snapshot()).entries), byKey(entries))
  })

  test('never takes anything back: the higher generation and the later end win, a successor is kept', async ({
    store,
  }) => {
    await store.append(
      [
        { type: 'subject', id: 'ada', minGeneration: 2, until: NOW + 60 },
        { type: 'kid', id: 'k1' },
      ],
      NOW,
    )
    await store.append([{ type: 'subject', id: 'ada', minGeneration: 1, until: NOW + 90 }], NOW)
    await store.append([{ type: 'subject', id: 'ada', minGeneration: 3, until: NOW + 30 }], NOW)
    await store.append([{ type: 'kid', id: 'k1', successor: publicJwk('k2') }], NOW)
    const expected: RevocationEntry[] = [
      { type: 'kid', id: 'k1', successor: publicJwk('k2') },
      { type: 'subject', id: 'ada', minGeneration: 3, until: NOW + 90 },
    ]
    equal(byKey((await store.snapshot()).entries), expected)
    equal(replay(await all(store)), expected)
  })

  test('numbers concurrent additions without gaps, from two places at once', async ({ store, another }) => {
    const other = (await another?.()) ?? store
    const logs = [store, other]
    await Promise.all(Array.from({ length: 60 }, (_, i) => logs[i % 2]?.append([jti(`a${i}`), jti(`b${i}`)], NOW)))
    const events = await all(store)
    equal(
      events.map(({ seq }) => seq),
      Array.from({ length: 120 }, (_, i) => i + 1),
    )
    equal(replay(events), byKey((await other.snapshot()).entries))
  })

  test('keeps position and entries over a close', async ({ store, reopen }) => {
    const position = await store.append([jti('a'), { type: 'kid', id: 'k1' }], NOW)
    const later = (await reopen?.()) ?? store
    equal((await later.snapshot()).position, position)
    equal((await later.snapshot()).entries.length, 2)
  })

  test('calls back after an addition, its own or another’s, until it is stopped', async ({ store, another }) => {
    const writer = (await another?.()) ?? store
    let stop = (): void => {}
    const called = new Promise<void>((resolve) => {
      stop = store.onChange(resolve)
    })
    await writer.append([jti('a')], NOW)
    await called
    stop()
    stop()
  })
}

function describeDropping(test: Test<RevocationLog>): void {
  test('drops what has passed, each by an event, and a kid never', async ({ store }) => {
    await store.append(
      [
        jti('old', NOW + 10),
        jti('edge', NOW + 11),
        { type: 'global', minGeneration: 1, until: NOW + 9 },
        { type: 'kid', id: 'k1' },
      ],
      NOW,
    )
    equal(await store.dropExpired(NOW + 9, 10), 0)
    equal(await store.dropExpired(NOW + 11, 10), 2)
    equal(await store.dropExpired(NOW + 11, 10), 0)
    const left: RevocationEntry[] = [jti('edge', NOW + 11), { type: 'kid', id: 'k1' }]
    const { position, entries } = await store.snapshot()
    equal(position.seq, 6)
    equal(byKey(entries), byKey(left))
    const events = await all(store)
    equal(
      events.map(({ seq, change }) => [seq, change]),
      [1, 2, 3, 4].map((seq) => [seq, 'add']).concat([5, 6].map((seq) => [seq, 'drop'])),
    )
    equal(replay(events), byKey(left))
    equal(await store.dropExpired(NOW + 1e9, 10), 1)
    equal((await store.snapshot()).entries, [{ type: 'kid', id: 'k1' }])
  })

  test('drops at most so many a call', async ({ store }) => {
    await store.append(
      Array.from({ length: 5 }, (_, i) => jti(`${i}`, NOW)),
      NOW,
    )
    equal(await store.dropExpired(NOW + 1, 0), 0)
    equal(await store.dropExpired(NOW + 1, 3), 3)
    equal(await store.dropExpired(NOW + 1, 3), 2)
    equal((await store.snapshot()).entries, [])
  })

  test('takes what was dropped again as something new', async ({ store }) => {
    await store.append([jti('a', NOW)], NOW)
    await store.dropExpired(NOW + 1, 10)
    await store.append([jti('a', NOW + 60)], NOW + 2)
    equal((await store.snapshot()).entries, [jti('a', NOW + 60)])
    equal((await store.snapshot()).position.seq, 3)
  })

  test('forgets events after an hour or more, and then says so rather than leaving a gap', async ({ store }) => {
    await store.append([jti('a', NOW + 1e6)], NOW)
    await store.append([jti('b', NOW + 1e6)], NOW + 3_500)
    await store.dropExpired(NOW + 3_599, 10)
    equal((await store.after(0, 10))?.events.length, 2)
    await store.append([jti('c', NOW + 1e6)], NOW + 1e5)
    await store.dropExpired(NOW + 1e5 + 1, 10)
    equal(await store.after(0, 10), undefined)
    equal(
      (await store.after(2, 10))?.events.map(({ seq }) => seq),
      [3],
    )
    equal((await store.snapshot()).entries.length, 3)
  })
}
