import type { Acknowledgement, AcknowledgementStore } from '../ports.ts'
import { equal, type StoreUnderTest, type TestRunner, testWith } from './runner.ts'

const NOW = 1_700_000_000

const held = (consumer: string, instance: string, more: Partial<Acknowledgement> = {}): Acknowledgement => ({
  consumer,
  instance,
  kids: ['k1', 'k2'],
  position: { epoch: 7, seq: 3 },
  ...more,
})

/** The suite that every {@link AcknowledgementStore} has to pass. */
export function describeAcknowledgementStore(
  name: string,
  open: () => Promise<StoreUnderTest<AcknowledgementStore>>,
  runner: TestRunner,
): void {
  const test = testWith(open, runner)
  const sorted = async (store: AcknowledgementStore, now: number, seconds = 90) =>
    [...(await store.live(now, seconds))].sort((a, b) =>
      `${a.consumer} ${a.instance}` < `${b.consumer} ${b.instance}` ? -1 : 1,
    )

  runner.describe(`${name}: acknowledgements`, () => {
    test('tells who was heard of lately, with when', async ({ store }) => {
      equal(await sorted(store, NOW), [])
      await store.put(held('agent-api', 'one'), NOW)
      await store.put(held('billing', 'one', { kids: [] }), NOW + 10)
      equal(await sorted(store, NOW + 90), [
        { ...held('agent-api', 'one'), at: NOW },
        { ...held('billing', 'one', { kids: [] }), at: NOW + 10 },
      ])
      equal(await sorted(store, NOW + 91), [{ ...held('billing', 'one', { kids: [] }), at: NOW + 10 }])
      equal(await sorted(store, NOW + 200), [])
    })

    test('keeps the newest of each process', async ({ store }) => {
      await store.put(held('agent-api', 'one'), NOW)
      await store.put(held('agent-api', 'two'), NOW)
      const newer = held('agent-api', 'one', { kids: ['k3'], position: { epoch: 8, seq: 0 } })
      await store.put(newer, NOW + 30)
      equal(await sorted(store, NOW + 30), [
        { ...newer, at: NOW + 30 },
        { ...held('agent-api', 'two'), at: NOW },
      ])
    })

    test('is shared and outlives a close', async ({ store, another, reopen }) => {
      await store.put(held('agent-api', 'one'), NOW)
      const other = (await another?.()) ?? store
      equal((await other.live(NOW, 90)).length, 1)
      const later = (await reopen?.()) ?? store
      equal((await later.live(NOW, 90)).length, 1)
    })

    test('holds at most 1,000 processes of a consumer: the ones silent for longest go first', async ({ store }) => {
      await store.put(held('billing', 'one'), NOW - 50)
      await Promise.all(
        Array.from({ length: 1_000 }, (_, i) => store.put(held('agent-api', `${i}`), NOW + (i > 0 ? 1 : 0))),
      )
      await store.put(held('agent-api', 'last'), NOW + 2)
      const instances = (await store.live(NOW + 2, 90)).map((one) => `${one.consumer} ${one.instance}`)
      equal(instances.length, 1_001)
      equal(instances.includes('agent-api 0'), false)
      equal(instances.includes('agent-api last'), true)
    })
  })
}
