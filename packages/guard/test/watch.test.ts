import type { RevocationEntry } from '@countersign/revocation'
import type { Principal } from '@countersign/tokens'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createGuard, type PrincipalEnd } from '../src/index.ts'
import { makeKey, makeToken, makeVerifier, NOW, testClock } from './fixtures.ts'

const key = await makeKey()

async function setUp(exp = NOW + 600) {
  const clock = testClock()
  const revoked = new Set<string>()
  const listeners = new Set<() => void>()
  const guard = createGuard({
    verifier: makeVerifier(key, clock),
    clock,
    revocations: {
      isRevoked: (principal) => revoked.has(principal.tokenId ?? ''),
      onChange(call) {
        listeners.add(call)
        return () => listeners.delete(call)
      },
    },
  })
  const decision = await guard.admit({ token: makeToken(key, { jti: 'token-1', iat: exp - 600, exp }) })
  if (!decision.admitted) throw new Error(decision.code)
  const ends: PrincipalEnd[] = []
  const revoke = (id: string) => {
    revoked.add(id)
    for (const call of listeners) call()
  }
  return { clock, guard, principal: decision.principal, ends, revoked, revoke, listeners }
}

/** Lets everything that waits for nothing but its turn have it. */
const settle = () => Promise.resolve()

describe('watch', () => {
  it('tells expiry at exp, once', async () => {
    const { clock, guard, principal, ends } = await setUp()
    guard.watch(principal, (end) => ends.push(end))
    await settle()
    clock.advance(599.9)
    expect(ends).toEqual([])
    clock.advance(0.1)
    expect(ends).toEqual([{ reason: 'expired' }])
    clock.advance(10_000)
    expect(ends).toHaveLength(1)
    expect(clock.timers).toBe(0)
  })

  it('tells expiry at exp, also when no full turns of 30 s lead to it', async () => {
    const { clock, guard, principal, ends } = await setUp(NOW + 595)
    guard.watch(principal, (end) => ends.push(end))
    await settle()
    clock.advance(594.999)
    expect(ends).toEqual([])
    clock.advance(0.001)
    expect(ends).toEqual([{ reason: 'expired' }])
  })

  it('tells expiry within 30 s of waking, after the machine slept over it', async () => {
    const { clock, guard, principal, ends } = await setUp()
    guard.watch(principal, (end) => ends.push(end))
    await settle()
    clock.jump(8 * 3600)
    expect(ends).toEqual([])
    clock.advance(30)
    expect(ends).toEqual([{ reason: 'expired' }])
  })

  it('does not end early when the wall clock steps back', async () => {
    const { clock, guard, principal, ends } = await setUp()
    guard.watch(principal, (end) => ends.push(end))
    await settle()
    clock.jump(-3600)
    clock.advance(600)
    expect(ends).toEqual([])
    clock.advance(3600)
    expect(ends).toEqual([{ reason: 'expired' }])
  })

  it('never calls back before it returns, also for a principal that has ended', async () => {
    const { clock, guard, principal, ends } = await setUp()
    clock.jump(601)
    guard.watch(principal, (end) => ends.push(end))
    expect(ends).toEqual([])
    await settle()
    expect(ends).toEqual([{ reason: 'expired' }])
  })

  it('ends a principal at once that was admitted within the clock tolerance only', async () => {
    const { guard, principal, ends } = await setUp(NOW - 3)
    guard.watch(principal, (end) => ends.push(end))
    await settle()
    expect(ends).toEqual([{ reason: 'expired' }])
  })

  it('sees a revocation that came between admission and watching', async () => {
    const { guard, principal, ends, revoke } = await setUp()
    revoke('token-1')
    guard.watch(principal, (end) => ends.push(end))
    await settle()
    expect(ends).toEqual([{ reason: 'revoked' }])
  })

  it('sees a revocation that came right after registering, and tells it once', async () => {
    const { guard, principal, ends, revoke } = await setUp()
    guard.watch(principal, (end) => ends.push(end))
    revoke('token-1')
    await settle()
    expect(ends).toEqual([{ reason: 'revoked' }])
  })

  it('sees a later revocation at once, and leaves others alone', async () => {
    const { guard, principal, ends, revoke, clock } = await setUp()
    guard.watch(principal, (end) => ends.push(end))
    await settle()
    revoke('token-2')
    expect(ends).toEqual([])
    revoke('token-1')
    expect(ends).toEqual([{ reason: 'revoked' }])
    expect(clock.timers).toBe(0)
  })

  it('stops when told to, also before its first look', async () => {
    const { guard, principal, ends, revoke, clock } = await setUp()
    const stop = guard.watch(principal, (end) => ends.push(end))
    stop()
    revoke('token-1')
    await settle()
    clock.advance(10_000)
    expect(ends).toEqual([])
    expect(clock.timers).toBe(0)
  })

  it('stops when told to, after its first look, and twice does no harm', async () => {
    const { guard, principal, clock } = await setUp()
    const stop = guard.watch(principal, () => {})
    const stopOther = guard.watch({ ...principal }, () => {})
    await settle()
    stop()
    stop()
    expect(clock.timers).toBe(1)
    stopOther()
    expect(clock.timers).toBe(0)
  })

  it('tells of every callback that throws', async () => {
    const { guard, principal, revoke } = await setUp()
    for (const name of ['one', 'other']) {
      guard.watch(principal, () => {
        throw new Error(name)
      })
    }
    await settle()
    let thrown: unknown
    try {
      revoke('token-1')
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(AggregateError)
    expect(thrown).toMatchObject({ message: 'Watchers failed.', errors: [new Error('one'), new Error('other')] })
  })

  it('looks at whoever an entry names by key, or by an id that the token came through', async () => {
    const { principal, clock } = await setUp()
    let tell = (_entries: readonly RevocationEntry[]): void => {}
    const guard = createGuard({
      verifier: makeVerifier(key, clock),
      clock,
      revocations: {
        isRevoked: (one) => one.subject === 'revoked',
        onChange(call) {
          tell = call
          return () => {}
        },
      },
    })
    const rows: [entry: RevocationEntry, change: Partial<Principal>][] = [
      [{ type: 'kid', id: 'stolen' }, { keyId: 'stolen' }],
      [{ type: 'jti', id: 'parent', until: 1 }, { via: ['x', 'parent'] }],
      [{ type: 'sid', id: 'sign-in', until: 1 }, { via: ['sign-in'] }],
      [{ type: 'client', id: 'tool', minGeneration: 1, until: 1 }, { via: ['tool'] }],
      [{ type: 'subject', id: 'ada', minGeneration: 1, until: 1 }, { via: ['ada'] }],
    ]
    for (const [entry, change] of rows) {
      const ends: string[] = []
      const one = { ...principal, ...change, subject: 'own' }
      guard.watch(one, () => ends.push('own'))
      guard.watch({ ...one, subject: 'other', keyId: 'other', via: ['other'] }, () => ends.push('other'))
      await settle()
      // Revoked from now on, which nobody looks at before an entry says so.
      one.subject = 'revoked'
      tell([{ ...entry, id: 'unknown' } as RevocationEntry])
      expect(ends).toEqual([])
      tell([entry])
      expect([entry.type, ...ends]).toEqual([entry.type, 'own'])
    }
  })

  it('finds by an id whoever is watched, before its type was first asked for and after, and nobody who left', async () => {
    const { principal, clock } = await setUp()
    let tell = (_entries: readonly RevocationEntry[]): void => {}
    const over = new Set<string>()
    const guard = createGuard({
      verifier: makeVerifier(key, clock),
      clock,
      revocations: {
        isRevoked: ({ session = '' }) => over.has(session),
        onChange(call) {
          tell = call
          return () => {}
        },
      },
    })
    const ends: string[] = []
    const watch = (session: string) => guard.watch({ ...principal, session }, () => ends.push(session))
    const leaves = watch('left before')
    for (const session of ['first', 'left before']) watch(session)
    leaves()
    await settle()
    const end = (session: string) => {
      over.add(session)
      tell([{ type: 'sid', id: session, until: 1 }])
    }
    end('first')
    const leavesToo = watch('left after')
    watch('second')
    leavesToo()
    await settle()
    for (const session of ['second', 'left after', 'left before']) end(session)
    expect(ends).toEqual(['first', 'second', 'left before'])
  })

  it('needs no revocation news', async () => {
    const { principal, clock } = await setUp()
    const guard = createGuard({ verifier: makeVerifier(key, clock), clock })
    const ends: PrincipalEnd[] = []
    guard.watch(principal, (end) => ends.push(end))
    expect(guard.permits(principal, ['agents:read'])).toBe(true)
    await settle()
    clock.advance(600)
    expect(ends).toEqual([{ reason: 'expired' }])
  })

  it('tells the others although one callback throws', async () => {
    const { guard, principal, ends, revoke } = await setUp()
    guard.watch(principal, () => {
      throw new Error('faulty')
    })
    guard.watch(principal, (end) => ends.push(end))
    await settle()
    expect(() => revoke('token-1')).toThrow('faulty')
    expect(ends).toEqual([{ reason: 'revoked' }])
  })

  it('tells whoever watches although the observer of events throws', async () => {
    const { principal, ends, clock } = await setUp()
    const guard = createGuard({
      verifier: makeVerifier(key, clock),
      clock,
      onEvent() {
        throw new Error('no room in the queue')
      },
    })
    guard.watch(principal, (end) => ends.push(end))
    await settle()
    expect(() => clock.advance(600)).toThrow('no room in the queue')
    expect(ends).toEqual([{ reason: 'expired' }])
    expect(clock.timers).toBe(0)
  })

  it.each([undefined, Number.NaN, 'soon'])('ends a principal at once that ends at %s', async (expiresAt) => {
    const { principal, guard, ends, clock } = await setUp()
    const endless = { ...principal, expiresAt } as Principal
    expect(guard.permits(endless, [])).toBe(false)
    guard.watch(endless, (end) => ends.push(end))
    await settle()
    expect(ends).toEqual([{ reason: 'expired' }])
    expect(clock.timers).toBe(0)
  })

  it('has one timer for everybody, and ends each at its own second whoever left in between', async () => {
    const { clock, guard, principal } = await setUp()
    const ends: number[] = []
    const stops: (() => void)[] = []
    for (let index = 0; index < 500; index += 1) {
      const second = (index * 7919) % 1000
      const one = { ...principal, tokenId: `${index}`, expiresAt: clock.now() + 1 + second }
      stops.push(guard.watch(one, () => ends.push(one.expiresAt - clock.now())))
    }
    await settle()
    expect(clock.timers).toBe(1)
    for (let index = 0; index < 500; index += 3) stops[index]?.()
    clock.advance(1001)
    expect(ends).toEqual(Array.from({ length: 333 }, () => 0))
    expect(clock.timers).toBe(0)
  })

  it('leaves nothing behind when the guard is closed', async () => {
    const { guard, principal, ends, clock, listeners } = await setUp()
    guard.watch(principal, (end) => ends.push(end))
    await settle()
    await guard.close()
    clock.advance(10_000)
    expect(ends).toEqual([])
    expect(clock.timers).toBe(0)
    expect(listeners.size).toBe(0)
  })

  it('calls back exactly once for every principal, whatever happens in which order', async () => {
    const { guard, principal, clock, revoke } = await setUp()
    const step = fc.oneof(
      fc.record({ type: fc.constant('advance' as const), seconds: fc.double({ min: 0, max: 400, noNaN: true }) }),
      fc.record({ type: fc.constant('jump' as const), seconds: fc.double({ min: -100, max: 400, noNaN: true }) }),
      fc.record({ type: fc.constant('revoke' as const), id: fc.integer({ min: 0, max: 4 }) }),
    )
    let round = 0
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
        round += 1
        const counts = Array.from({ length: 5 }, () => 0)
        const name = (index: number) => `${round}-${index}`
        const start = clock.now()
        const mayEnd = new Set<number>()
        for (const index of counts.keys()) {
          const one: Principal = { ...principal, tokenId: name(index), expiresAt: start + 100 * (index + 1) }
          guard.watch(one, () => {
            counts[index] = (counts[index] ?? 0) + 1
            // Nobody is told of an end that has not come.
            expect(mayEnd.has(index) || clock.now() >= one.expiresAt).toBe(true)
          })
        }
        await settle()
        for (const action of steps) {
          if (action.type === 'advance') clock.advance(action.seconds)
          else if (action.type === 'jump') clock.jump(action.seconds)
          else {
            mayEnd.add(action.id)
            revoke(name(action.id))
          }
        }
        clock.advance(10_000)
        expect(counts).toEqual([1, 1, 1, 1, 1])
      }),
      { numRuns: 100 },
    )
  })
})
