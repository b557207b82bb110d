import { followRevocations, type RevocationEntry, type RevocationFollower } from '@countersign/revocation'
import { type SimulatedFeed, simulateFeed } from '@countersign/revocation/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { createGuard, type Guard } from '../src/index.ts'
import { audience, issuer, makeKey, makeToken, makeVerifier, NOW, type TestClock, testClock } from './fixtures.ts'
import { settle } from './settle.ts'

type Scope = 'agents:read' | 'chat:write'
const key = await makeKey()
const consumer = { audience, scopes: { 'agents:read': {}, 'chat:write': { sensitive: true } } }

interface World {
  readonly feed: SimulatedFeed
  readonly guard: Guard<Scope>
  readonly follower: RevocationFollower
  /** The true time, which is also the issuer's. */
  readonly time: TestClock
  /** What the guard's machine has for it. */
  readonly clock: TestClock
  /** What was presented each second since the fault: seconds since the revocation, and the decision. */
  readonly decisions: {
    readonly second: number
    readonly plain: string
    readonly sensitive: string
    readonly other: string
  }[]
  revoke(): Promise<void>
  /** Seconds pass for everybody, the feed beating and three tokens being presented in each. */
  pass(seconds: number): Promise<void>
  present(): Promise<void>
}

const open: World[] = []
afterEach(async () => {
  for (const { guard, follower } of open.splice(0)) {
    await guard.close()
    await follower.close()
  }
})

const revoked: RevocationEntry = { type: 'jti', id: 'stolen', until: NOW + 3_600 }

async function makeWorld(): Promise<World> {
  const [time, clock] = [testClock(), testClock()]
  const feed = await simulateFeed(time, issuer)
  const follower = followRevocations(feed.url, {
    consumer: audience,
    keys: feed.keys,
    fetch: feed.fetch,
    clock,
    random: () => 0.5,
  })
  const guard = createGuard<Scope>({ verifier: makeVerifier(key, clock), consumer, revocations: follower, clock })
  let revokedAt: number | undefined
  const token = (jti: string) => makeToken(key, { jti, exp: NOW + 3_600, scope: 'agents:read chat:write' })
  const [stolen, other] = [token('stolen'), token('other')]
  const decisions: World['decisions'] = []
  const ask = async (one: string, scope: Scope) => {
    const decision = await guard.admit({ token: one, scopes: [scope] })
    return decision.admitted ? 'admitted' : decision.code
  }
  const world: World = {
    feed,
    guard,
    follower,
    time,
    clock,
    decisions,
    async revoke() {
      revokedAt = time.now()
      await feed.revoke(revoked)
      await settle()
    },
    async present() {
      const second = time.now() - (revokedAt ?? Number.POSITIVE_INFINITY)
      const [plain, sensitive] = [await ask(stolen, 'agents:read'), await ask(stolen, 'chat:write')]
      decisions.push({ second, plain, sensitive, other: await ask(other, 'agents:read') })
    },
    async pass(seconds) {
      for (let second = 0; second < seconds; second++) {
        time.advance(1)
        clock.advance(1)
        await feed.beat()
        await settle()
        await world.present()
      }
    },
  }
  open.push(world)
  await settle()
  await world.pass(3)
  expect(decisions.at(-1)).toMatchObject({ plain: 'admitted', sensitive: 'admitted', other: 'admitted' })
  return world
}

/** What must hold under every fault. */
function expectNoneAfterTheLimit({ decisions }: World): void {
  for (const { second, plain, sensitive } of decisions) {
    if (second > 60) expect([second, plain]).not.toEqual([second, 'admitted'])
    if (second > 30) expect([second, sensitive]).not.toEqual([second, 'admitted'])
  }
}

const lastAdmitted = ({ decisions }: World, which: 'plain' | 'sensitive') =>
  Math.max(...decisions.filter((one) => one[which] === 'admitted' && one.second >= 0).map(({ second }) => second))

describe('a revoked token', () => {
  it('is refused within a second, and nothing else is', async () => {
    const world = await makeWorld()
    await world.revoke()
    await world.present()
    await world.pass(5)
    expect(world.decisions.slice(3).map(({ plain }) => plain)).toEqual(Array(6).fill('revoked'))
    expect(world.decisions.every(({ other }) => other === 'admitted')).toBe(true)
  })

  const faults: [what: string, begin: (world: World) => unknown][] = [
    ['the feed is cut', ({ feed }) => Object.assign(feed.faults, { cut: true })],
    ['the issuer is cut off from its database', ({ feed }) => Object.assign(feed.faults, { noStore: true })],
    [
      'the stream is mute and every other answer is an old one',
      async ({ feed }) => {
        const old = new Uint8Array(await (await feed.fetch(`${feed.url}?epoch=1&after=0`)).arrayBuffer())
        Object.assign(feed.faults, { onStream: () => {}, onAnswer: () => old })
      },
    ],
    [
      'old heads are replayed in a loop',
      ({ feed }) => {
        const old: string[] = []
        feed.faults.onStream = (message, deliver) => {
          if (old.length < 2 && !message.includes('\n')) old.push(message)
          for (const one of old) deliver(one)
        }
        feed.faults.onAnswer = () => new TextEncoder().encode(old[0] ?? '')
      },
    ],
    [
      'the feed comes with 300 s of delay',
      ({ feed, time }) => {
        feed.faults.onStream = (message, deliver) => void time.after(300_000, () => deliver(message))
        feed.faults.onAnswer = () => new Uint8Array()
      },
    ],
  ]
  it.each(faults)(
    'is never accepted after 60 s, nor for a sensitive scope after 30 s, when %s',
    async (_what, begin) => {
      const world = await makeWorld()
      await begin(world)
      // A head or two are let through before the loop of old ones.
      await world.pass(2)
      await world.revoke()
      await world.pass(100)
      expectNoneAfterTheLimit(world)
      // Not by refusing from the start: the whole time that is allowed is used.
      expect(lastAdmitted(world, 'plain')).toBeGreaterThan(50)
      expect(lastAdmitted(world, 'sensitive')).toBeGreaterThan(20)
      expect(world.decisions.at(-1)).toMatchObject({ plain: 'revocations_stale', other: 'revocations_stale' })
    },
  )

  it('is refused as soon as the feed comes back', async () => {
    const world = await makeWorld()
    world.feed.faults.cut = true
    await world.revoke()
    await world.pass(80)
    world.feed.faults.cut = false
    await world.pass(2)
    expect(world.decisions.at(-1)).toMatchObject({ plain: 'revoked', other: 'admitted' })
    expectNoneAfterTheLimit(world)
  })

  it.each([20, 50])('is refused in time when caches serve answers of %i s ago', async (delay) => {
    const world = await makeWorld()
    const { feed, time } = world
    const answers: { readonly at: number; readonly body: Uint8Array }[] = []
    feed.faults.noStream = true
    feed.faults.onAnswer = (body) => {
      answers.push({ at: time.now(), body })
      return answers.findLast(({ at }) => at <= time.now() - delay)?.body ?? new Uint8Array()
    }
    await world.revoke()
    await world.pass(100)
    expectNoneAfterTheLimit(world)
    // News of a while ago, but honest ones: what they say counts, and the other token is good.
    expect(world.decisions.at(-1)).toMatchObject({ plain: 'revoked', other: 'admitted' })
    expect(world.follower.freshness().ageSeconds).toBeCloseTo(delay, 0)
  })

  it('is refused when the stream is slow by 8 s', async () => {
    const world = await makeWorld()
    const { feed, time } = world
    feed.faults.onStream = (message, deliver) => void time.after(8_000, () => deliver(message))
    feed.faults.onAnswer = () => new Uint8Array()
    await world.revoke()
    await world.pass(30)
    expect(lastAdmitted(world, 'plain')).toBeLessThanOrEqual(8)
    expect(world.decisions.at(-1)).toMatchObject({ plain: 'revoked', other: 'admitted' })
  })

  it('is refused when messages come twice and in another order', async () => {
    const world = await makeWorld()
    const { feed } = world
    let waiting: (() => void)[] = []
    feed.faults.onStream = (message, deliver) => {
      waiting.push(
        () => deliver(message),
        () => deliver(message),
      )
      if (waiting.length < 6) return
      for (const one of waiting.reverse()) one()
      waiting = []
    }
    await world.pass(4)
    await world.revoke()
    for (let id = 0; id < 20; id++) {
      await feed.revoke({ type: 'jti', id: `more-${id}`, until: NOW + 600 })
      await world.pass(1)
    }
    expect(world.decisions.filter(({ second, plain }) => second > 3 && plain === 'admitted')).toEqual([])
    expect(world.decisions.every(({ other }) => other === 'admitted')).toBe(true)
    expect(world.follower.view.count).toBe(21)
  })

  it.each([
    ['stopped for 90 s and resumed', (clock: TestClock) => clock.skip(90)],
    ['on a machine that was suspended for 90 s, its monotonic clock with it', (clock: TestClock) => clock.jump(90)],
  ])('is not accepted by a guard that was %s', async (_what, sleep) => {
    const world = await makeWorld()
    const { feed, clock, time } = world
    const held: (() => void)[] = []
    feed.faults.onStream = (message, deliver) => held.push(() => deliver(message))
    await world.revoke()
    for (let second = 0; second < 90; second++) {
      time.advance(1)
      await feed.beat()
    }
    sleep(clock)
    // The first request comes before anything that waited in a buffer.
    await world.present()
    expect(world.decisions.at(-1)).toMatchObject({ plain: 'revocations_stale', other: 'revocations_stale' })
    feed.faults.onStream = undefined
    for (const deliver of held) deliver()
    await settle()
    await world.present()
    await world.pass(2)
    expect(world.decisions.at(-1)).toMatchObject({ plain: 'revoked', other: 'admitted' })
    expectNoneAfterTheLimit(world)
  })

  it.each([-3_600, 3_600])(
    'is not accepted after 60 s when the guard’s clock steps by %i s and the feed is cut',
    async (step) => {
      const world = await makeWorld()
      world.feed.faults.cut = true
      await world.revoke()
      await world.pass(10)
      world.clock.jump(step)
      await world.pass(90)
      expectNoneAfterTheLimit(world)
    },
  )

  it('that was known as revoked stays so when the guard’s clock steps back by an hour', async () => {
    const world = await makeWorld()
    await world.revoke()
    world.clock.jump(-3_600)
    await world.pass(10)
    expect(world.decisions.slice(3).some(({ plain }) => plain === 'admitted')).toBe(false)
  })
})

describe('an issuer that is down for 45 s', () => {
  it('costs no non-sensitive request', async () => {
    const world = await makeWorld()
    world.feed.faults.cut = true
    await world.pass(45)
    world.feed.faults.cut = false
    await world.pass(20)
    expect(world.decisions.filter(({ other, plain }) => other !== 'admitted' || plain !== 'admitted')).toEqual([])
    expect(world.decisions.some(({ sensitive }) => sensitive === 'revocations_stale')).toBe(true)
    expect(world.decisions.at(-1)?.sensitive).toBe('admitted')
  })
})

describe('watching', () => {
  it('ends at the revocation, and 60 s after the last news', async () => {
    const world = await makeWorld()
    const { guard, feed } = world
    const ends: string[] = []
    for (const jti of ['stolen', 'other']) {
      const decision = await guard.admit({ token: makeToken(key, { jti }) })
      if (!decision.admitted) throw new Error(decision.code)
      guard.watch(decision.principal, ({ reason }) => ends.push(`${jti} ${reason}`))
    }
    await world.revoke()
    expect(ends).toEqual(['stolen revoked'])
    feed.faults.cut = true
    await world.pass(60)
    expect(ends).toHaveLength(1)
    await world.pass(2)
    expect(ends).toEqual(['stolen revoked', 'other stale'])
  })
})
