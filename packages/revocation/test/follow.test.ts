import { generateKeyPairSync } from 'node:crypto'
import { type PublicJwk, staticKeys } from '@countersign/tokens'
import { settled } from '@countersign-tooling/clock/settled'
import { afterEach, describe, expect, it } from 'vitest'
import { type FollowOptions, followRevocations } from '../src/index.ts'
import { jti, makeFeedKey, sid } from './support/feed.ts'
import { principal } from './support/principal.ts'
import { makeWorld, type World } from './support/world.ts'

const open: World[] = []
async function world(options: Partial<FollowOptions> = {}): Promise<World> {
  const made = await makeWorld(options)
  open.push(made)
  return made
}
afterEach(async () => {
  for (const { follower } of open.splice(0)) await follower.close()
})

const failures = ({ events }: World) =>
  events.flatMap((event) => (event.type === 'feed_failed' ? [event.error.code] : []))

describe('following', () => {
  it('begins with the snapshot, then hears what is revoked', async () => {
    const { follower, feed, types, pass } = await world()
    await follower.whenReady()
    expect([follower.ready, follower.freshness().level]).toEqual([true, 'fresh'])
    expect(types().slice(0, 3)).toEqual(['feed_loaded', 'feed_freshness', 'feed_connected'])
    await feed.revoke(jti('jti-1'))
    await settled()
    expect(follower.isRevoked(principal())).toBe(true)
    await feed.drop(jti('jti-1'))
    await settled()
    expect(follower.isRevoked(principal())).toBe(false)
    await pass(5)
    expect(feed.requests).toEqual({ snapshot: 1, delta: 0, stream: 1, ack: 0 })
  })

  it('is not ready while there is no snapshot, and gets it once there is one', async () => {
    const made = await makeWorld({}, (feed) => {
      feed.faults.cut = true
    })
    open.push(made)
    expect([made.follower.ready, made.follower.freshness()]).toEqual([
      false,
      { level: 'starting', ageSeconds: Number.POSITIVE_INFINITY },
    ])
    await made.pass(10)
    expect(made.follower.ready).toBe(false)
    made.feed.faults.cut = false
    await made.pass(6)
    expect(made.follower.ready).toBe(true)
  })

  it('polls each second while there is no stream', async () => {
    const { follower, feed, pass, time, clock } = await world()
    feed.faults.noStream = true
    await pass(3)
    const before = feed.requests.delta
    await pass(10)
    expect(feed.requests.delta - before).toBe(10)
    await feed.revoke(jti('jti-1'))
    time.advance(1)
    clock.advance(1)
    await settled()
    expect(follower.isRevoked(principal())).toBe(true)
    expect(follower.freshness().level).toBe('fresh')
    feed.faults.noStream = false
    await pass(40)
    const polled = feed.requests.delta
    await pass(10)
    expect(feed.requests.delta).toBe(polled)
  })

  it('polls when the stream goes silent without breaking, and gives it up after 10 s', async () => {
    const { feed, pass, follower, events } = await world()
    feed.faults.onStream = () => {}
    await pass(6)
    await feed.revoke(jti('jti-1'))
    await pass(1)
    expect(follower.isRevoked(principal())).toBe(true)
    await pass(8)
    expect(feed.requests.stream).toBeGreaterThan(1)
    expect(events.filter(({ type }) => type === 'feed_disconnected')).not.toHaveLength(0)
    expect(follower.freshness().level).toBe('fresh')
  })

  it('asks for what it missed, and takes the snapshot where that is gone', async () => {
    const { follower, feed, pass, events } = await world()
    feed.faults.onStream = () => {}
    await feed.revoke(jti('jti-1'))
    feed.faults.onStream = undefined
    await feed.revoke(sid('other'))
    await settled()
    expect(follower.isRevoked(principal())).toBe(true)
    expect(feed.requests).toMatchObject({ snapshot: 1, delta: 1 })

    feed.faults.onStream = () => {}
    await feed.revoke(jti('jti-2'))
    feed.faults.onStream = undefined
    feed.forgetEvents()
    await pass(1)
    expect(follower.isRevoked(principal({ tokenId: 'jti-2' }))).toBe(true)
    expect(events.at(-1)).toMatchObject({ type: 'feed_loaded', reason: 'gap', entries: 3 })
  })

  it('follows into another epoch', async () => {
    const { follower, feed, pass } = await world()
    await feed.revoke(jti('jti-1'), jti('jti-2'))
    await settled()
    feed.restore([jti('jti-2')])
    await pass(2)
    expect(follower.view.position).toEqual({ epoch: 2, seq: 0 })
    expect(follower.isRevoked(principal())).toBe(false)
    expect(follower.isRevoked(principal({ tokenId: 'jti-2' }))).toBe(true)
  })

  it('refuses heads and deltas that are lower than one before, also of an epoch before', async () => {
    const made = await world()
    const { feed, follower, pass } = made
    const old: string[] = []
    feed.faults.onStream = (message, deliver) => {
      old.push(message)
      deliver(message)
    }
    await pass(1)
    await feed.revoke(jti('a'))
    await settled()
    feed.faults.onStream = undefined
    await feed.revoke(jti('b'))
    await settled()
    const before = follower.view.digest
    const replay = async () => {
      feed.faults.onStream = (_message, deliver) => {
        for (const message of old) deliver(message)
      }
      await pass(1)
      feed.faults.onStream = undefined
    }
    await replay()
    expect(failures(made)).toEqual(['replayed', 'replayed'])
    expect([follower.view.digest, follower.view.position]).toEqual([before, { epoch: 1, seq: 2 }])
    feed.restore([])
    await pass(2)
    const failed = failures(made).length
    await replay()
    expect(failures(made).slice(failed)).toEqual(['replayed', 'replayed'])
    expect(follower.view.position).toEqual({ epoch: 2, seq: 0 })
  })

  it('refuses a head from the future', async () => {
    const made = await world()
    made.time.jump(61)
    await made.pass(1)
    expect(failures(made)).toContain('clock_skew')
    made.clock.jump(61)
    await made.pass(3)
    expect(made.follower.freshness().level).toBe('fresh')
  })

  it('counts drift, then repairs it', async () => {
    const { follower, feed, pass, events } = await world()
    const entries = Array.from({ length: 100 }, (_, index) => jti(`t${index}`))
    await feed.revoke(...entries)
    await settled()
    // One that the follower has lost, and one that it has too much: as a fault of ours would leave it.
    const { position } = follower.view
    follower.view.apply(1, [
      { seq: (position?.seq ?? 0) + 1, change: 'drop', entry: jti('t7') },
      { seq: (position?.seq ?? 0) + 2, change: 'add', entry: jti('x') },
    ])
    feed.faults.onStream = () => {}
    await feed.revoke(jti('y'), jti('z'))
    feed.faults.onStream = undefined
    await pass(2)
    // y and z are lost too: their numbers were taken.
    expect(events).toContainEqual(expect.objectContaining({ type: 'feed_drifted', difference: 4, ratio: 4 / 102 }))
    expect(events).toContainEqual(expect.objectContaining({ type: 'feed_loaded', reason: 'drift', entries: 102 }))
    expect(follower.isRevoked(principal({ tokenId: 't7' }))).toBe(true)
  })

  it('acknowledges what it holds, now and every 30 s', async () => {
    const asked: unknown[] = []
    const { follower, feed, pass, events } = await world({
      ack: async ({ reason }) => {
        asked.push(reason)
        return 'token'
      },
    })
    const [one, two] = [makeFeedKey('key-1').jwk, makeFeedKey('key-2').jwk]
    await pass(1)
    // Nobody has said yet whose keys.
    expect(feed.acknowledgements).toEqual([])
    follower.useKeys(staticKeys({ keys: [one] }))
    await pass(29)
    await feed.revoke({ type: 'kid', id: 'key-1', successor: two }, jti('a'))
    await pass(30)
    expect(feed.acknowledgements).toEqual([
      { consumer: 'agent-api', instance: 'one', kids: ['key-1'], position: { epoch: 1, seq: 0 } },
      { consumer: 'agent-api', instance: 'one', kids: ['key-2'], position: { epoch: 1, seq: 2 } },
    ])
    expect(asked).toEqual(['initial', 'initial'])
    expect(events.filter(({ type }) => type === 'feed_acknowledged')).toHaveLength(2)
  })

  it('acknowledges news at once, a few at a time, and a flood of them once a second', async () => {
    const { follower, feed, pass } = await world({ ack: async () => 'token' })
    follower.useKeys(staticKeys({ keys: [makeFeedKey('key-1').jwk] }))
    await pass(2)
    expect(feed.acknowledgements).toHaveLength(1)
    await pass(5)
    expect(feed.acknowledgements).toHaveLength(1)
    for (let i = 0; i < 20; i++) {
      await feed.revoke(jti(`flood-${i}`))
      await settled()
    }
    await pass(1)
    const seqs = () => feed.acknowledgements.map(({ position }) => position.seq)
    expect(seqs()).toEqual([0, 1, 2, 3, 4, 20])
    for (let i = 0; i < 10; i++) {
      await feed.revoke(jti(`more-${i}`), jti(`and-${i}`))
      await pass(1)
    }
    expect(feed.acknowledgements).toHaveLength(16)
    await pass(28)
    expect(feed.acknowledgements).toHaveLength(16)
    await pass(3)
    expect(feed.acknowledgements).toHaveLength(17)
  })

  it('acknowledges another key as soon as it is held', async () => {
    const { follower, feed, pass } = await world({ ack: async () => 'token' })
    const held = ['key-1']
    const { jwk } = makeFeedKey('key-1')
    follower.useKeys({ get: () => jwk, load: async () => jwk, kids: () => held })
    await pass(5)
    held.push('key-2')
    await pass(2)
    expect(feed.acknowledgements.map(({ kids }) => kids)).toEqual([['key-1'], ['key-1', 'key-2']])
  })

  it('asks an issuer that refuses its acknowledgements no more often for news', async () => {
    const made = await world({
      ack: async () => {
        throw new Error('no account')
      },
    })
    made.follower.useKeys(staticKeys({ keys: [makeFeedKey('key-1').jwk] }))
    await made.pass(1)
    await made.feed.revoke(jti('one'))
    await made.pass(25)
    expect(failures(made)).toEqual(['acknowledgement_failed'])
  })

  it('makes a reader that nobody has asked read its keys, to say what it would accept', async () => {
    const { follower, feed, pass } = await world({ ack: async () => 'token' })
    const { jwk } = makeFeedKey('key-1')
    let held: readonly string[] = []
    const load = async () => {
      held = ['key-1']
      return undefined
    }
    follower.useKeys({ get: () => (held.length > 0 ? jwk : undefined), load, kids: () => held })
    follower.useKeys({ get: () => jwk, load: async () => jwk })
    await pass(30)
    expect(feed.acknowledgements.map(({ kids }) => kids)).toEqual([['key-1']])
  })

  it('gets another token where one was refused, once, and reports what stays refused', async () => {
    const asked: string[] = []
    const made = await makeWorld()
    await made.follower.close()
    const { feed, clock, events } = made
    const follower = followRevocations(feed.url, {
      consumer: 'agent-api',
      keys: feed.keys,
      clock,
      ack: async ({ reason }) => {
        asked.push(reason)
        return 'token'
      },
      fetch: async (input, init) =>
        init?.method === 'POST' ? new Response('', { status: 401 }) : feed.fetch(input, init),
      onEvent: (event) => events.push(event),
    })
    open.push({ ...made, follower })
    follower.useKeys(staticKeys({ keys: [makeFeedKey('key-1').jwk] }))
    await settled()
    expect(asked).toEqual(['initial', 'rejected'])
    expect(failures(made)).toEqual(['acknowledgement_failed'])
  })

  it('takes a revoked key out of the verifier’s keys, and its successor in', async () => {
    const { follower, feed } = await world()
    const [one, two] = [makeFeedKey('key-1').jwk, makeFeedKey('key-2').jwk]
    const keys = follower.useKeys(staticKeys({ keys: [one] }))
    expect([keys.get('key-1')?.kid, keys.kids?.()]).toEqual(['key-1', ['key-1']])
    await feed.revoke({ type: 'kid', id: 'key-1', successor: two })
    await settled()
    expect([keys.get('key-1'), await keys.load('key-1'), keys.kids?.()]).toEqual([undefined, undefined, []])
    expect([keys.get('key-2'), await keys.load('key-2')]).toEqual([two, two])
    await feed.revoke({ type: 'kid', id: 'key-2' })
    await settled()
    expect(keys.get('key-2')).toBeUndefined()
  })

  it('outlives listeners and observers that throw', async () => {
    const faulty = () => {
      throw new Error('faulty')
    }
    const { follower, feed, pass } = await world({ onEvent: faulty })
    follower.onChange(faulty)
    follower.onFreshness(faulty)
    await feed.revoke(jti('jti-1'))
    await pass(8)
    expect([follower.isRevoked(principal()), follower.freshness().level]).toEqual([true, 'fresh'])
    feed.faults.cut = true
    await pass(8)
    expect(follower.freshness().level).toBe('degraded')
  })

  it('leaves nothing behind when it is closed', async () => {
    const { follower, feed, clock } = await world()
    await follower.close()
    const before = { ...feed.requests }
    expect(clock.timers).toBe(0)
    clock.advance(100)
    await settled()
    expect(feed.requests).toEqual(before)
    expect(follower.freshness().level).toBe('stale')
  })

  it('closes while the first snapshot is on its way', async () => {
    const { feed, clock, follower: other } = await world()
    await other.close()
    const follower = followRevocations(feed.url, { consumer: 'agent-api', keys: feed.keys, fetch: feed.fetch, clock })
    await follower.close()
    expect(clock.timers).toBe(0)
  })
})

describe('whatever stands between', () => {
  it('answers with something else: what is held stays, the reason is told', async () => {
    const made = await world()
    const { feed, follower, pass } = made
    await feed.revoke(jti('jti-1'))
    await settled()
    feed.faults.noStream = true
    const other = makeFeedKey('feed-1')
    const answers: [body: () => Promise<string>, code: string][] = [
      [async () => '<html>', 'bad_message'],
      [async () => '', 'bad_message'],
      [async () => 'x'.repeat(9_000_000), 'too_large'],
      [
        async () =>
          (await import('../src/index.ts')).signHead(
            {
              issuer: feed.issuer,
              position: { epoch: 9, seq: 9 },
              count: 0,
              digest: '0'.repeat(16),
              issuedAt: made.time.now(),
            },
            other.signer,
          ),
        'bad_signature',
      ],
    ]
    for (const [body, code] of answers) {
      const bytes = new TextEncoder().encode(await body())
      feed.faults.onAnswer = () => bytes
      await pass(1)
      expect(failures(made)).toContain(code)
    }
    expect(follower.isRevoked(principal())).toBe(true)
    expect(follower.view.position).toEqual({ epoch: 1, seq: 1 })
  })

  it('answers with too large a snapshot', async () => {
    const made = await makeWorld({ limits: { maxSnapshotBytes: 1_024 } }, (feed) =>
      feed.revoke(...Array.from({ length: 100 }, (_, index) => jti(`token-${index}`))),
    )
    open.push(made)
    await made.pass(3)
    expect(failures(made)).toContain('too_large')
    expect(made.follower.ready).toBe(false)
  })

  it('redirects, or refuses', async () => {
    for (const [status, code] of [
      [302, 'feed_unreachable'],
      [404, 'feed_refused'],
      [429, 'feed_unreachable'],
      [500, 'feed_unreachable'],
    ] as const) {
      const made = await makeWorld({ fetch: async () => new Response(null, { status }) })
      open.push(made)
      expect(failures(made)).toEqual([code])
    }
  })

  it('hangs: requests end after their time', async () => {
    const made = await makeWorld({
      fetch: (_input, init) =>
        new Promise((_resolve, reject) => init?.signal?.addEventListener('abort', () => reject(new Error('aborted')))),
    })
    open.push(made)
    await made.pass(31)
    expect(failures(made)).toEqual(['feed_unreachable'])
  })

  it('sends an event without an end', async () => {
    const made = await world({ limits: { maxMessageBytes: 1_024 } })
    made.feed.faults.onStream = (_message, deliver) => deliver('x'.repeat(2_000))
    await made.pass(1)
    expect(made.events).toContainEqual(
      expect.objectContaining({ type: 'feed_disconnected', error: expect.objectContaining({ code: 'too_large' }) }),
    )
  })
})

describe('an option is refused', () => {
  const jwk = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }) as unknown as PublicJwk
  const keys = staticKeys({ keys: [{ ...jwk, kid: 'k', alg: 'EdDSA' }] })
  const rows: [why: string, url: string, options: Partial<FollowOptions>][] = [
    ['http outside loopback', 'http://auth.example.com/revocations', {}],
    ['another scheme', 'ftp://auth.example.com/revocations', {}],
    ['no URL', 'revocations', {}],
    ['a query', 'https://auth.example.com/revocations?a=1', {}],
    ['credentials', 'https://a:b@auth.example.com/revocations', {}],
    ['a URL that does not say the issuer', 'https://cdn.example.com/feed', {}],
    ['no consumer', 'https://auth.example.com/revocations', { consumer: '' }],
    ['an empty instance', 'https://auth.example.com/revocations', { instance: '' }],
    ['an ackUrl over http', 'https://auth.example.com/revocations', { ackUrl: 'http://auth.example.com/ack' }],
    ['stale after more than 60 s', 'https://auth.example.com/revocations', { freshness: { staleSeconds: 61 } }],
    ['stale before late', 'https://auth.example.com/revocations', { freshness: { staleSeconds: 20 } }],
    ['fresh for less than 2 s', 'https://auth.example.com/revocations', { freshness: { freshSeconds: 1 } }],
    ['not a number', 'https://auth.example.com/revocations', { freshness: { staleSeconds: Number.NaN } }],
    ['no bytes', 'https://auth.example.com/revocations', { limits: { maxMessageBytes: 0 } }],
    ['no time', 'https://auth.example.com/revocations', { limits: { requestTimeoutMs: 1 } }],
    ['no entries', 'https://auth.example.com/revocations', { limits: { maxEntries: 0 } }],
  ]
  it.each(rows)('%s', (_why, url, options) => {
    expect(() => followRevocations(url, { consumer: 'agent-api', keys, ...options })).toThrow(
      expect.objectContaining({ name: 'RevocationError', code: 'bad_option' }),
    )
  })
})
