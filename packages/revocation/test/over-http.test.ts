import { readFileSync } from 'node:fs'
import { afterEach, expect, it } from 'vitest'
import { type FeedEvent, type FollowOptions, followRevocations, type RevocationFollower } from '../src/index.ts'
import { jti } from './support/feed.ts'
import { serveFeed } from './support/http-feed.ts'
import { principal } from './support/principal.ts'

const open: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close()
})

async function follow(options: Partial<FollowOptions> = {}) {
  const served = await serveFeed()
  open.push(served)
  const events: FeedEvent[] = []
  const waiting = new Set<() => void>()
  const follower = followRevocations(`${served.origin}/revocations`, {
    consumer: 'agent-api',
    onEvent(event) {
      events.push(event)
      for (const look of waiting) look()
    },
    ...options,
  })
  open.push(follower)
  /** Resolves with the first event of a type, from now on or before. */
  const heard = (type: FeedEvent['type']) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (events.some((event) => event.type === type)) resolve()
      }
      waiting.add(look)
      look()
    })
  return { ...served, follower, events, heard }
}

it('reads keys, snapshot and stream over a socket, hears what is revoked, and acknowledges', async () => {
  const { feed, follower, heard } = await follow({ instance: 'one', ack: async () => 'token' })
  follower.useKeys(feed.keys)
  await follower.whenReady()
  await heard('feed_connected')
  const told = new Promise<void>((resolve) => {
    follower.onChange(() => resolve())
  })
  await feed.revoke(jti('jti-1', Math.ceil(Date.now() / 1000) + 600))
  await told
  expect(follower.isRevoked(principal())).toBe(true)
  await heard('feed_acknowledged')
  expect(feed.acknowledgements[0]).toMatchObject({ consumer: 'agent-api', instance: 'one' })
  expect(feed.requests).toMatchObject({ snapshot: 1, delta: 0, stream: 1, ack: 1 })
})

it('polls at once when the server breaks the stream', async () => {
  const { feed, follower, heard } = await follow()
  await heard('feed_connected')
  feed.faults.noStream = true
  const told = new Promise<void>((resolve) => {
    follower.onChange(() => resolve())
  })
  await feed.revoke(jti('jti-1'))
  await heard('feed_disconnected')
  await told
  expect(feed.requests.delta).toBeGreaterThan(0)
  expect(follower.isRevoked(principal())).toBe(true)
})

it('keeps no socket after it is closed', async () => {
  const { feed, follower, heard, drain } = await follow()
  await heard('feed_connected')
  await follower.close()
  // It would wait for a stream that is open.
  await drain()
  expect(feed.requests.stream).toBe(1)
})

it('has an example in its README that runs', async () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const [, code = ''] = /```ts\n([\s\S]*?)```/.exec(readme) ?? []
  const served = await serveFeed()
  open.push(served)
  const asked: unknown[] = []
  // The package does not depend on the guard, which depends on it: its place is taken by what it asks of a follower.
  const createGuard = (options: { revocations: RevocationFollower }) => ({
    admit: async (request: unknown) => asked.push(request, options.revocations.freshness().level),
    close: async () => {},
  })
  const AsyncFunction = (async () => {}).constructor as new (...args: string[]) => (...args: unknown[]) => Promise<void>
  const body = code.replaceAll(/^import .*$/gm, '').replaceAll('https://auth.example.com', served.origin)
  await new AsyncFunction('createGuard', 'followRevocations', 'token', body)(createGuard, followRevocations, 'a.b.c')
  expect(asked).toEqual([{ token: 'a.b.c', scopes: ['agents:read'] }, 'fresh'])
})
