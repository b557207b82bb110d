import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  createKeyRing,
  isKeysError,
  type KeyPolicy,
  type KeyRing,
  type KeyRingDocument,
  type KeyRingStore,
} from '../src/index.ts'
import { memoryKeyRingStore } from '../src/testing.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'
import { claims, issuer, kekOf, kidOf } from './ring-fixture.ts'

/** Tight where it can be: an overlap without any slack, and a rotation about every two hours. */
const policy: KeyPolicy = {
  accessTokenLifeSeconds: 600,
  overlapSeconds: 600 + 90 + 60,
  rotateAfterSeconds: 7200,
  maxAgeSeconds: 30 * 86_400,
}
const lifeSeconds = 600
const verifierCacheSeconds = 3600
/** W is 3,750 s by the clocks of these processes, which differ by less than s = 60 s. */
const propagationSeconds = 3750 - 60
const ranks = ['pending', 'published', 'active', 'retiring', 'retired', 'revoked']

type Command =
  | { readonly do: 'pass'; readonly seconds: number }
  | { readonly do: 'rotate' | 'activate' | 'sign' | 'restart' | 'outage'; readonly at: number }
  | { readonly do: 'step'; readonly at: number; readonly seconds: number }
  | { readonly do: 'all rotate' }

const instances = 3
const at = fc.nat(instances - 1)
const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('pass' as const),
      seconds: fc.constantFrom(1, 9, 45, 85, 95, 300, 745, 1300, 3700, 3760),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('rotate', 'activate', 'restart', 'outage' as const),
      at,
    }) as fc.Arbitrary<Command>,
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('sign' as const), at }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('step' as const), at, seconds: fc.constantFrom(-7200, -100, 100, 4000) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('all rotate' as const) }) },
)

const pass = (seconds: number): Command => ({ do: 'pass', seconds })

/** What this property has found: clocks that ran ahead made a fresh key look old. */
const found: Command[][] = [
  // A newest instant stored by a clock that was ahead, read by the next process.
  [
    pass(3760),
    { do: 'all rotate' },
    pass(85),
    { do: 'step', at: 0, seconds: 4000 },
    pass(1300),
    { do: 'restart', at: 0 },
    { do: 'all rotate' },
    { do: 'sign', at: 0 },
  ],
  // A clock that stepped ahead during an outage in which others published a key.
  [
    { do: 'outage', at: 1 },
    pass(3760),
    { do: 'all rotate' },
    { do: 'rotate', at: 0 },
    { do: 'step', at: 1, seconds: 4000 },
    { do: 'outage', at: 1 },
    pass(300),
    { do: 'all rotate' },
    { do: 'sign', at: 0 },
    { do: 'sign', at: 1 },
  ],
]

interface Instance {
  ring: KeyRing
  clock: FakeClock
  readonly link: { down: boolean }
}

/** Three processes, their clocks apart, on one store; and verifiers that keep what they once read for an hour. */
class World {
  readonly store = memoryKeyRingStore()
  readonly instances: Instance[] = []
  /** True time, in seconds from the start. */
  now = 0
  readonly publishedAt = new Map<string, number>()
  firstKid: string | undefined
  tokens: { readonly kid: string; readonly diesAt: number }[] = []
  caches: { readonly readAt: number; readonly kids: ReadonlySet<string> }[] = []
  before: KeyRingDocument | undefined

  async open(index: number): Promise<Instance> {
    // A process starts with a clock that is right to within half of the skew.
    const clock = createFakeClock(1_800_000_000 + this.now + (index - 1) * 25)
    const link = { down: false }
    const store: KeyRingStore = {
      read: async (name) => {
        await turns(index)
        if (link.down) throw new Error('unreachable')
        return await this.store.read(name)
      },
      replace: async (document) => {
        await turns(2 - index)
        if (link.down) throw new Error('unreachable')
        return await this.store.replace(document)
      },
    }
    const ring = await createKeyRing({ store, kek: kekOf(), issuer, policy, clock })
    await clock.advance(0)
    return { ring, clock, link }
  }

  instance(index: number): Instance {
    const instance = this.instances[index]
    if (instance === undefined) throw new Error('no such instance')
    return instance
  }

  async run(next: Command): Promise<void> {
    if (next.do === 'pass') {
      this.now += next.seconds
      await Promise.all(this.instances.map(({ clock }) => clock.jump(next.seconds)))
    } else if (next.do === 'all rotate') {
      await Promise.all(this.instances.map(({ ring }) => ring.rotate().catch(refusal)))
    } else if (next.do === 'step') this.instance(next.at).clock.step(next.seconds)
    else if (next.do === 'outage') {
      const { link } = this.instance(next.at)
      link.down = !link.down
    } else if (next.do === 'restart') {
      await this.instance(next.at).ring.close()
      this.instances[next.at] = await this.open(next.at)
    } else if (next.do === 'sign') {
      const kid = await this.instance(next.at).ring.sign(claims).then(kidOf).catch(refusal)
      if (typeof kid === 'string') this.signed(kid)
    } else if (next.do === 'rotate') await this.instance(next.at).ring.rotate().catch(refusal)
    else {
      const { ring } = this.instance(next.at)
      const standby = ring.status().keys.findLast(({ state }) => state === 'published')
      if (standby !== undefined) await ring.activate(standby.kid).catch(refusal)
    }
  }

  signed(kid: string): void {
    const publishedAt = this.publishedAt.get(kid)
    if (publishedAt === undefined) throw new Error(`signed with ${kid}, which was never published`)
    if (kid !== this.firstKid) expect(this.now - publishedAt).toBeGreaterThanOrEqual(propagationSeconds)
    this.tokens.push({ kid, diesAt: this.now + lifeSeconds })
  }

  async check(): Promise<void> {
    const document = await this.store.read('tokens')
    if (document === undefined) throw new Error('no ring')
    expect(document.keys.filter(({ state }) => state === 'active')).toHaveLength(1)
    this.firstKid ??= document.keys[0]?.kid
    for (const { kid, state } of document.keys) {
      if (state !== 'pending' && !this.publishedAt.has(kid)) this.publishedAt.set(kid, this.now)
      const earlier = this.before?.keys.find((key) => key.kid === kid)?.state
      if (earlier !== undefined) expect(ranks.indexOf(state)).toBeGreaterThanOrEqual(ranks.indexOf(earlier))
    }
    expect(document.updatedAt).toBeGreaterThanOrEqual(this.before?.updatedAt ?? 0)
    this.before = document

    for (const { ring } of this.instances) {
      try {
        this.caches.push({ readAt: this.now, kids: new Set(ring.jwks.document.keys.map(({ kid }) => kid)) })
      } catch (error) {
        refusal(error)
      }
    }
    this.caches = this.caches.filter(({ readAt }) => this.now - readAt <= verifierCacheSeconds)
    this.tokens = this.tokens.filter(({ diesAt }) => this.now < diesAt)
    for (const token of this.tokens) {
      for (const cache of this.caches) {
        if (!cache.kids.has(token.kid)) {
          throw new Error(`a token of ${token.kid} is refused with the keys read ${this.now - cache.readAt} s ago`)
        }
      }
    }
  }
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn <= count; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

/** Being refused is lawful; anything else is a fault. */
function refusal(error: unknown): undefined {
  if (!isKeysError(error)) throw error
  expect(['too_early', 'too_late', 'store_failed', 'lease_expired']).toContain(error.code)
  return undefined
}

it('refuses no valid token and goes back on nothing, whatever happens in whatever order', async () => {
  let rotations = 0
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 20, maxLength: 60, size: 'max' }), async (commands) => {
      const world = new World()
      try {
        for (let index = 0; index < instances; index += 1) world.instances.push(await world.open(index))
        await world.check()
        for (const next of commands) {
          await world.run(next)
          await world.check()
        }
        rotations += world.before?.keys.filter(({ state }) => state === 'retiring' || state === 'retired').length ?? 0
      } finally {
        await Promise.all(world.instances.map(({ ring }) => ring.close()))
      }
    }),
    { numRuns: 30, examples: found.map((commands) => [commands]) },
  )
  // A property that never comes to the point would hold, too.
  expect(rotations).toBeGreaterThan(30)
})
