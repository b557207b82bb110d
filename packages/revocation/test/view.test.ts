import { testClock } from '@countersign-tooling/clock'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createRevocationView,
  type RevocationEntry,
  type RevocationEvent,
  type RevocationView,
  type RevocationViewOptions,
} from '../src/index.ts'
import { jti, makeFeedKey, NOW, sid } from './support/feed.ts'
import { principal } from './support/principal.ts'
import { empty, events, replay, snapshotOf } from './support/replica.ts'

async function newView(options: RevocationViewOptions = {}): Promise<RevocationView> {
  const view = createRevocationView(options)
  await view.load(await empty())
  return view
}

const ids = fc.constantFrom('a', 'b', 'c', 'd', 'ä🔑', 'x'.repeat(512))
const until = fc.integer({ min: 0, max: 5 })
const entry: fc.Arbitrary<RevocationEntry> = fc.oneof(
  fc.record({ type: fc.constantFrom('jti' as const, 'sid' as const), id: ids, until }),
  fc.record({ type: fc.constantFrom('client' as const, 'subject' as const), id: ids, minGeneration: until, until }),
  fc.record({ type: fc.constant('kid' as const), id: ids }),
  fc.record({ type: fc.constant('global' as const), minGeneration: until, until }),
)
const history = fc
  .array(fc.record({ change: fc.constantFrom('add' as const, 'add' as const, 'drop' as const), entry }), {
    maxLength: 60,
  })
  .map((list): RevocationEvent[] =>
    list
      .filter(({ change, entry: { type } }) => change === 'add' || type !== 'kid')
      .map((event, index) => ({ seq: index + 1, ...event })),
  )

/** Principals that every kind of entry would meet. */
const someone = ['a', 'b', 'c', 'd', 'ä🔑', 'x'.repeat(512), 'nobody'].flatMap((id) => [
  principal({ tokenId: id }),
  principal({ session: id }),
  principal({ keyId: id }),
  ...[0, 2, 4].map((n) => principal({ clientId: id, generations: [9, n, 9] })),
  ...[0, 2, 4].map((n) => principal({ subject: id, generations: [9, 9, n] })),
])
const verdicts = (view: RevocationView) => someone.map((one) => view.check(one))

describe('the view', () => {
  it('is the same in a Map, in a table, between the two, and from a snapshot', async () => {
    await fc.assert(
      fc.asyncProperty(history, fc.nat(60), async (list, cut) => {
        const entries = replay(list)
        const position = { epoch: 1, seq: list.length }
        const expected = await snapshotOf(position, entries)
        const inMap = await newView()
        const inTable = await newView({ mapEntries: 0 })
        const between = await newView({ mapEntries: 3 })
        const whole = createRevocationView()
        await whole.load(expected)
        const rest = createRevocationView({ mapEntries: 0 })
        await rest.load(await snapshotOf({ epoch: 1, seq: Math.min(cut, list.length) }, replay(list.slice(0, cut))))
        for (const view of [inMap, inTable, between, rest]) view.apply(1, list)
        for (const view of [inMap, inTable, between, rest, whole]) {
          expect([view.count, view.digest, view.position]).toEqual([expected.count, expected.digest, position])
          expect(verdicts(view)).toEqual(verdicts(whole))
        }
      }),
      { numRuns: 150 },
    )
  })

  it('ends the same, in whatever order and however often parts arrive, a gap refused', async () => {
    const parts = fc.array(fc.tuple(fc.nat(60), fc.nat(20)), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(history, parts, async (list, arrivals) => {
        const view = await newView({ mapEntries: 2 })
        for (const [start, length] of arrivals) {
          const part = list.slice(start, start + length)
          const held = view.position?.seq ?? 0
          if (part.length > 0 && start > held) expect(() => view.apply(1, part)).toThrow('missing')
          else view.apply(1, part)
          expect(view.position?.seq).toBe(Math.max(held, start <= held ? start + part.length : 0))
          expect(view.digest).toBe(
            (await snapshotOf({ epoch: 1, seq: 0 }, replay(list.slice(0, view.position?.seq)))).digest,
          )
        }
      }),
      { numRuns: 60 },
    )
  })

  it('agrees with a Set on thousands of ids, through growth and removal', async () => {
    const view = await newView({ mapEntries: 100 })
    const held = new Set<string>()
    let seq = 0
    let state = 1
    const random = (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    for (let step = 0; step < 30_000; step++) {
      const id = `id-${random(12_000)}`
      const change = random(3) === 0 ? 'drop' : 'add'
      if (change === 'add') held.add(id)
      else held.delete(id)
      view.apply(1, [{ seq: ++seq, change, entry: jti(id) }])
    }
    expect(view.count).toBe(held.size)
    for (let id = 0; id < 12_500; id++) {
      expect(view.isRevoked(principal({ tokenId: `id-${id}` }))).toBe(held.has(`id-${id}`))
    }
    expect(view.digest).toBe(
      (
        await snapshotOf(
          { epoch: 1, seq },
          [...held].map((id) => jti(id)),
        )
      ).digest,
    )
  })

  it('takes at most 40 bytes an entry in the table', async () => {
    const view = createRevocationView({ mapEntries: 0 })
    const list = Array.from({ length: 20_000 }, (_, index) => jti(`token-${index}`))
    await view.load(await snapshotOf({ epoch: 1, seq: 1 }, list))
    expect(view.bytes / 20_000).toBeLessThanOrEqual(40)
    for (let index = 0; index < 20_000; index++) {
      view.apply(1, events(1 + index, jti(`more-${index}`)))
      if (index % 1000 === 0) expect(view.bytes / view.count).toBeLessThanOrEqual(40)
    }
  })

  it('refuses a snapshot that is older, also of an epoch before', async () => {
    const view = createRevocationView()
    await view.load(await snapshotOf({ epoch: 2, seq: 5 }, [jti('jti-1')]))
    for (const position of [
      { epoch: 2, seq: 4 },
      { epoch: 1, seq: 99 },
    ]) {
      await expect(view.load(await snapshotOf(position, []))).rejects.toMatchObject({ code: 'replayed' })
    }
    expect(view.isRevoked(principal())).toBe(true)
    await view.load(await snapshotOf({ epoch: 3, seq: 0 }, []))
    expect(view.isRevoked(principal())).toBe(false)
  })

  it('refuses events before a snapshot, and those of another epoch', async () => {
    expect(() => createRevocationView().apply(1, events(0, jti('a')))).toThrow(expect.objectContaining({ code: 'gap' }))
    const view = await newView()
    expect(() => view.apply(2, events(0, jti('a')))).toThrow(expect.objectContaining({ code: 'gap' }))
  })

  it('keeps what it has when a snapshot is not what its head says', async () => {
    const view = await newView()
    view.apply(1, events(0, jti('jti-1')))
    const good = await snapshotOf({ epoch: 1, seq: 2 }, [jti('a'), sid('b'), { type: 'kid', id: 'k' }])
    const text = new TextDecoder().decode(good.entries)
    const line = `${text.split('\n')[0]}\n`
    const bad = [
      text.slice(0, -1),
      text.replace('j\ta', 'j\tb'),
      text + line,
      text.replace('\tb\t', '\t\t'),
      text.replace('s\tb', 's b'),
      text.replace(String(NOW), `0${NOW}`),
      text.replace(String(NOW + 600), '4294967296'),
      text.replace('k\tk', 'x\tk'),
      `${text}k\tk\t\n`,
      `${text}g\t\t1\t1\ng\t\t2\t1\n`,
      '',
    ]
    for (const one of bad.filter((one) => one !== text)) {
      const snapshot = { ...good, entries: new TextEncoder().encode(one) }
      await expect(view.load(snapshot)).rejects.toMatchObject({ code: 'bad_message' })
    }
    await expect(view.load({ ...good, count: 4 })).rejects.toMatchObject({ code: 'bad_message' })
    expect([view.position, view.isRevoked(principal())]).toEqual([{ epoch: 1, seq: 1 }, true])
  })

  it('never takes the revocation of a key back', async () => {
    const view = await newView()
    view.apply(1, [
      ...events(0, { type: 'kid', id: 'key-1' }),
      { seq: 2, change: 'drop', entry: { type: 'kid', id: 'key-1' } },
    ])
    expect(view.check(principal())).toBe('kid')
    const restored = await snapshotOf({ epoch: 2, seq: 0 }, [])
    await view.load(restored)
    expect(view.check(principal())).toBe('kid')
    // What is kept beyond the feed does not count as drift.
    expect([view.count, view.digest]).toEqual([0, restored.digest])
  })

  it('is bounded', async () => {
    const view = await newView({ maxEntries: 2 })
    const list = [jti('a'), jti('b'), jti('c')]
    expect(() => view.apply(1, events(0, ...list))).toThrow(expect.objectContaining({ code: 'too_large' }))
    expect(view.position?.seq).toBe(0)
    await expect(view.load(await snapshotOf({ epoch: 1, seq: 3 }, list))).rejects.toMatchObject({ code: 'too_large' })
    for (const options of [{ mapEntries: -1 }, { maxEntries: 0 }, { maxEntries: 1.5 }, { mapEntries: 1e9 }]) {
      expect(() => createRevocationView(options)).toThrow(expect.objectContaining({ code: 'bad_option' }))
    }
  })

  it('applies all of some events or none', async () => {
    const view = await newView()
    const broken = events(0, jti('a'), jti('b\t'))
    expect(() => view.apply(1, broken)).toThrow(expect.objectContaining({ code: 'bad_entry' }))
    expect([view.count, view.position?.seq]).toEqual([0, 0])
  })

  it('counts by how much it differed before it is repaired', async () => {
    const view = await newView()
    view.apply(1, events(0, jti('a'), jti('b'), jti('c'), sid('s')))
    const truth = [jti('a'), jti('b', NOW), jti('d'), jti('e'), sid('s'), { type: 'kid', id: 'k' } as const]
    // Different: b. Only here: c. Only there: d, e, k.
    expect(await view.load(await snapshotOf({ epoch: 1, seq: 9 }, truth), true)).toEqual({ difference: 6, ratio: 1 })
    expect(await view.load(await snapshotOf({ epoch: 1, seq: 9 }, truth), true)).toEqual({ difference: 0, ratio: 0 })
  })

  it('tells what was added, after it is in force, and everybody although one of them throws', async () => {
    const view = await newView()
    const told: unknown[] = []
    view.onChange(() => {
      throw new Error('faulty')
    })
    const stop = view.onChange((added) => told.push(added, view.isRevoked(principal())))
    expect(() => view.apply(1, events(0, jti('jti-1')))).toThrow('faulty')
    expect(told).toEqual([[jti('jti-1')], true])
    view.apply(1, [{ seq: 2, change: 'drop', entry: jti('jti-1') }])
    expect(told).toHaveLength(2)
    await expect(view.load(await snapshotOf({ epoch: 1, seq: 3 }, []))).rejects.toThrow('faulty')
    expect(told.slice(2)).toEqual([undefined, false])
    stop()
    expect(() => view.apply(1, events(3, jti('a')))).toThrow('faulty')
    expect(told).toHaveLength(4)
  })

  it('holds a successor for an hour, on whichever clock, unless it is revoked or useless', async () => {
    const clock = testClock()
    const view = await newView({ clock })
    const [one, two] = [makeFeedKey('key-2').jwk, makeFeedKey('key-3').jwk]
    view.apply(1, events(0, { type: 'kid', id: 'key-1', successor: one }))
    expect(view.successor('key-2')).toEqual(one)
    expect(view.successor('key-2')).toBe(view.successor('key-2'))
    expect(view.successors()).toEqual(['key-2'])
    view.apply(1, events(1, { type: 'kid', id: 'key-2', successor: two }))
    expect([view.successor('key-2'), view.successor('key-3')]).toEqual([undefined, two])
    view.apply(1, events(2, { type: 'kid', id: 'key-0', successor: { ...one, kid: 'weak', x: 'AAAA' } }))
    expect([view.isKeyRevoked('key-0'), view.successor('weak')]).toEqual([true, undefined])
    clock.jump(3_599)
    expect(view.successors()).toEqual(['key-3'])
    clock.jump(1)
    expect(view.successors()).toEqual([])
  })
})
