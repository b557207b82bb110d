import type { Freshness, FreshnessLevel, RevocationEntry } from '@countersign/revocation'
import type { Principal } from '@countersign/tokens'
import { describe, expect, it } from 'vitest'
import { type Availability, createGuard, type GuardEvent, type Introspect, type PrincipalEnd } from '../src/index.ts'
import { audience, makeKey, makeToken, makeVerifier, testClock } from './fixtures.ts'

const key = await makeKey()
const consumer = {
  audience,
  scopes: { 'agents:read': {}, 'chat:write': { sensitive: true }, 'none:set': { sensitive: false } },
}

function setUp(introspect?: Introspect) {
  const clock = testClock()
  let level: FreshnessLevel = 'fresh'
  let asked = 0
  const revoked = new Set<string>()
  const onLevel = new Set<(level: FreshnessLevel) => void>()
  const onChange = new Set<(added?: readonly RevocationEntry[]) => void>()
  const events: GuardEvent[] = []
  const guard = createGuard({
    verifier: makeVerifier(key, clock),
    consumer,
    clock,
    onEvent: (event) => events.push(event),
    ...(introspect === undefined ? {} : { introspect }),
    revocations: {
      isRevoked: (principal) => {
        asked += 1
        return revoked.has(principal.tokenId ?? '')
      },
      onChange(call) {
        onChange.add(call)
        return () => onChange.delete(call)
      },
      freshness: (): Freshness => ({ level, ageSeconds: 0 }),
      onFreshness(call) {
        onLevel.add(call)
        return () => onLevel.delete(call)
      },
    },
  })
  return {
    clock,
    guard,
    events,
    revoked,
    listeners: () => onLevel.size + onChange.size,
    asked: () => asked,
    become(now: FreshnessLevel) {
      level = now
      for (const call of onLevel) call(now)
    },
    revoke(...entries: RevocationEntry[]) {
      for (const entry of entries) if (entry.type === 'jti') revoked.add(entry.id)
      for (const call of onChange) call(entries)
    },
    async admit(scopes: (keyof typeof consumer.scopes)[], availability?: Availability) {
      const decision = await guard.admit({ token: makeToken(key), scopes, ...(availability && { availability }) })
      return decision.admitted ? 'admitted' : decision.code
    },
  }
}

const settle = () => Promise.resolve()

describe('late revocation news', () => {
  const rows: [
    level: FreshnessLevel,
    plain: string,
    sensitive: string,
    tokenLife: string,
    tokenLifeSensitive: string,
  ][] = [
    ['fresh', 'admitted', 'admitted', 'admitted', 'admitted'],
    ['degraded', 'admitted', 'admitted', 'admitted', 'admitted'],
    ['late', 'admitted', 'revocations_stale', 'admitted', 'admitted'],
    ['stale', 'revocations_stale', 'revocations_stale', 'admitted', 'admitted'],
    ['starting', 'revocations_stale', 'revocations_stale', 'revocations_stale', 'revocations_stale'],
  ]
  it.each(rows)('that are %s', async (level, plain, sensitive, tokenLife, tokenLifeSensitive) => {
    const { admit, become, guard } = setUp()
    const decision = await guard.admit({ token: makeToken(key) })
    if (!decision.admitted) throw new Error(decision.code)
    const { principal } = decision
    become(level)
    expect([
      await admit(['agents:read']),
      await admit(['agents:read', 'chat:write']),
      await admit(['agents:read'], 'token-life'),
      await admit(['chat:write'], 'token-life'),
    ]).toEqual([plain, sensitive, tokenLife, tokenLifeSensitive])
    // For each message, the same.
    expect([
      guard.permits(principal, ['agents:read']),
      guard.permits(principal, ['chat:write']),
      guard.permits(principal, ['agents:read'], { availability: 'token-life' }),
      guard.permits(principal, ['chat:write'], { availability: 'token-life' }),
    ]).toEqual([plain, sensitive, tokenLife, tokenLifeSensitive].map((word) => word === 'admitted'))
  })

  it('say when to come again, and are told as an error, not as a denial', async () => {
    const { guard, become, events } = setUp()
    become('stale')
    expect(await guard.admit({ token: makeToken(key) })).toEqual({
      admitted: false,
      code: 'revocations_stale',
      retryAfterSeconds: 5,
    })
    expect(events.at(-1)).toMatchObject({ type: 'error', code: 'revocations_stale' })
  })

  it('do not hide what is known: a revoked token, a bad one, one without the scope', async () => {
    const { guard, become, revoked, admit } = setUp()
    revoked.add('token-1')
    become('stale')
    expect(await guard.admit({ token: makeToken(key, { jti: 'token-1' }) })).toMatchObject({ code: 'revoked' })
    expect(await guard.admit({ token: makeToken(key, { jti: 'token-1' }), availability: 'token-life' })).toMatchObject({
      code: 'revoked',
    })
    expect(await guard.admit({ token: 'x' })).toMatchObject({ code: 'malformed' })
    expect(await admit(['none:set'])).toBe('insufficient_scope')
  })

  it.each([true, 'yes', 1, null, undefined])(
    'hold back a scope whose `sensitive` is true, and not one where it is %o',
    async (sensitive) => {
      const guard = createGuard({
        verifier: makeVerifier(key, testClock()),
        consumer: { audience, scopes: { 'agents:read': { sensitive }, 'chat:write': null, 'none:set': 'sensitive' } },
        revocations: {
          isRevoked: () => false,
          onChange: () => () => {},
          freshness: () => ({ level: 'late', ageSeconds: 31 }),
        },
      })
      const decision = await guard.admit({ token: makeToken(key), scopes: ['agents:read', 'chat:write'] })
      expect(decision.admitted).toBe(sensitive !== true)
    },
  )

  it('are nobody’s concern where freshness is not known', async () => {
    const guard = createGuard({
      verifier: makeVerifier(key, testClock()),
      consumer,
      revocations: { isRevoked: () => false, onChange: () => () => {} },
    })
    expect((await guard.admit({ token: makeToken(key), scopes: ['chat:write'] })).admitted).toBe(true)
  })
})

describe('introspection', () => {
  it('is asked only when the news are late, about the very token', async () => {
    const asked: string[] = []
    const { guard, become, clock } = setUp(async (token) => {
      asked.push(token)
      return true
    })
    const token = makeToken(key)
    const admit = () => guard.admit({ token, scopes: ['agents:read'], availability: 'introspect' })
    for (const level of ['fresh', 'degraded', 'late'] as const) {
      become(level)
      expect((await admit()).admitted).toBe(true)
    }
    expect(asked).toEqual([])
    for (const level of ['stale', 'starting'] as const) {
      become(level)
      expect((await admit()).admitted).toBe(true)
    }
    expect(asked).toEqual([token, token])
    expect(clock.timers).toBe(0)
    expect(guard.canIntrospect).toBe(true)
  })

  it('is not asked for a route that does not say so', async () => {
    const { admit, become } = setUp(async () => true)
    become('stale')
    expect(await admit(['agents:read'])).toBe('revocations_stale')
    become('starting')
    expect(await admit(['agents:read'], 'token-life')).toBe('revocations_stale')
  })

  it('decides: inactive is revoked, a fault or no answer in time is too old', async () => {
    let answer: () => Promise<boolean> = async () => false
    const { admit, become, events, clock } = setUp(() => answer())
    become('stale')
    expect(await admit([], 'introspect')).toBe('revoked')
    const fault = new Error('the issuer is down')
    answer = async () => {
      throw fault
    }
    expect(await admit([], 'introspect')).toBe('revocations_stale')
    expect(events.at(-1)).toMatchObject({ cause: fault })
    answer = () => new Promise(() => {})
    const slow = admit([], 'introspect')
    for (let i = 0; i < 10; i++) await settle()
    clock.advance(3)
    expect(await slow).toBe('revocations_stale')
    expect(clock.timers).toBe(0)
    // Only true is yes.
    answer = async () => 'active' as never
    expect(await admit([], 'introspect')).toBe('revoked')
  })

  it('is told by its signal when its 3 s are over, and not before', async () => {
    let given: AbortSignal | undefined
    const { admit, become, clock, events } = setUp((_token, signal) => {
      given = signal
      return new Promise(() => {})
    })
    become('stale')
    const slow = admit([], 'introspect')
    for (let i = 0; i < 10; i++) await settle()
    clock.advance(2.999)
    expect(given?.aborted).toBe(false)
    clock.advance(0.001)
    expect(given?.aborted).toBe(true)
    expect(await slow).toBe('revocations_stale')
    expect(events.at(-1)).toMatchObject({ cause: { message: expect.stringContaining('3 s') } })
  })

  it('does not admit what was revoked while it was asked', async () => {
    const { guard, become, revoked } = setUp(async () => {
      revoked.add('token-1')
      return true
    })
    become('stale')
    const decision = await guard.admit({ token: makeToken(key, { jti: 'token-1' }), availability: 'introspect' })
    expect(decision).toEqual({ admitted: false, code: 'revoked' })
  })

  it('is not asked of a guard that cannot', async () => {
    const { guard } = setUp()
    expect(guard.canIntrospect).toBe(false)
    await expect(guard.admit({ token: makeToken(key), availability: 'introspect' })).rejects.toMatchObject({
      name: 'GuardError',
      code: 'no_introspection',
      message: expect.stringContaining('`introspect`'),
    })
  })
})

describe('watching', () => {
  async function watched() {
    const world = setUp()
    const decision = await world.guard.admit({ token: makeToken(key, { jti: 'token-1' }) })
    if (!decision.admitted) throw new Error(decision.code)
    return { ...world, principal: decision.principal }
  }

  it('ends stale when the news are, but for a token’s life where that was chosen', async () => {
    const { guard, principal, become, clock } = await watched()
    const ends: string[] = []
    guard.watch(principal, ({ reason }) => ends.push(`default ${reason}`))
    guard.watch(principal, ({ reason }) => ends.push(`introspect ${reason}`), { availability: 'introspect' })
    guard.watch(principal, ({ reason }) => ends.push(`token-life ${reason}`), { availability: 'token-life' })
    await settle()
    become('late')
    expect(ends).toEqual([])
    become('stale')
    expect(ends).toEqual(['default stale', 'introspect stale'])
    clock.advance(600)
    expect(ends).toEqual(['default stale', 'introspect stale', 'token-life expired'])
  })

  it('ends at once when the news went stale between admission and watching', async () => {
    const { guard, principal, become } = await watched()
    become('stale')
    const ends: PrincipalEnd[] = []
    guard.watch(principal, (end) => ends.push(end))
    await settle()
    expect(ends).toEqual([{ reason: 'stale' }])
  })

  it('looks only at those whom a revocation may concern', async () => {
    const { guard, principal, revoke, asked } = await watched()
    const many = (change: (index: number) => Partial<Principal>) => {
      const ends: number[] = []
      for (let index = 0; index < 100; index++) {
        guard.watch({ ...principal, tokenId: `other-${index}`, subject: 'x', ...change(index) }, () => ends.push(index))
      }
      return ends
    }
    many(() => ({}))
    const ends = many((index) => ({
      tokenId: `t${index}`,
      session: `s${index % 50}`,
      subject: `u${index % 10}`,
      clientId: `c${index}`,
      keyId: `k${index % 2}`,
      ancestors: [`a${index}`, `a${index}b`],
      actor: { subject: `actor-${index}`, actor: { subject: 'y', clientId: `deep-${index}` } },
    }))
    await settle()
    const rows: [RevocationEntry, number][] = [
      [{ type: 'jti', id: 'a7b', until: 1 }, 1],
      [{ type: 'sid', id: 's7', until: 1 }, 2],
      [{ type: 'subject', id: 'u7', minGeneration: 1, until: 1 }, 10],
      [{ type: 'client', id: 'c7', minGeneration: 1, until: 1 }, 1],
      [{ type: 'client', id: 'actor-7', minGeneration: 1, until: 1 }, 1],
      [{ type: 'client', id: 'deep-7', minGeneration: 1, until: 1 }, 1],
      [{ type: 'client', id: 'y', minGeneration: 1, until: 1 }, 0],
      [{ type: 'kid', id: 'k1' }, 50],
      [{ type: 'jti', id: 'unknown', until: 1 }, 0],
      [{ type: 'global', minGeneration: 1, until: 1 }, 200],
      [{ type: 'jti', id: 't7', until: 1 }, 1],
    ]
    for (const [entry, looks] of rows) {
      const before = asked()
      revoke(entry)
      expect([entry, asked() - before]).toEqual([entry, looks])
    }
    expect(ends).toEqual([7])
  })

  it('stops listening when the guard is closed', async () => {
    const { guard, listeners } = await watched()
    expect(listeners()).toBe(2)
    await guard.close()
    expect(listeners()).toBe(0)
  })
})
