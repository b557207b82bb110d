import { type TestClock, testClock } from '@countersign-tooling/clock'
import { settled } from '@countersign-tooling/clock/settled'
import { type FeedEvent, type FollowOptions, followRevocations, type RevocationFollower } from '../../src/index.ts'
import { type SimulatedFeed, simulateFeed } from '../../src/testing.ts'

/** An issuer and one follower, each with a clock of its own, and time that passes for both. */
export interface World {
  readonly feed: SimulatedFeed
  readonly follower: RevocationFollower
  /** The issuer's clock: the true time. */
  readonly time: TestClock
  readonly clock: TestClock
  readonly events: FeedEvent[]
  /** Seconds pass, the feed beating at the beginning of each. */
  pass(seconds: number, each?: () => void): Promise<void>
  types(): string[]
}

export async function makeWorld(
  options: Partial<FollowOptions> = {},
  prepare?: (feed: SimulatedFeed) => unknown,
): Promise<World> {
  const time = testClock()
  const clock = testClock()
  const feed = await simulateFeed(time)
  await prepare?.(feed)
  const events: FeedEvent[] = []
  const follower = followRevocations(feed.url, {
    consumer: 'agent-api',
    instance: 'one',
    keys: feed.keys,
    fetch: feed.fetch,
    clock,
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    ...options,
  })
  await settled()
  return {
    feed,
    follower,
    time,
    clock,
    events,
    types: () => events.map(({ type }) => type),
    async pass(seconds, each) {
      for (let second = 0; second < seconds; second++) {
        time.advance(1)
        clock.advance(1)
        await feed.beat()
        await settled()
        each?.()
      }
    },
  }
}
