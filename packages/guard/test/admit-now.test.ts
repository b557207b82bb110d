import type { FreshnessLevel } from '@countersign/revocation'
import { createVerifier, type PublicJwk, TokenRejected, type Verifier } from '@countersign/tokens'
import { describe, expect, it } from 'vitest'
import { admitRequest, admitRequestNow, type RequestLike } from '../src/http.ts'
import { type AdmitRequest, createGuard, type Decision, type Guard, type GuardEvent } from '../src/index.ts'
import { audience, issuer, makeKey, makeToken, makeVerifier, testClock } from './fixtures.ts'

const key = await makeKey()
const consumer = { audience, scopes: { 'agents:read': {}, 'chat:write': { sensitive: true }, 'tools:run': {} } }
type Asked = AdmitRequest<keyof typeof consumer.scopes>

const codeOf = (decision: Decision): string => (decision.admitted ? 'admitted' : decision.code)

/** Two guards over one verifier, one of which cannot recall: what they say must never differ. */
function setUp() {
  const clock = testClock()
  const keys = new Map([[key.jwk.kid, key.jwk]])
  const source = { get: (kid: string) => keys.get(kid), load: async (kid: string) => keys.get(kid) }
  const verifier = createVerifier({ issuer, audience, keys: source, clock })
  const revoked = new Set<string>()
  const world = { level: 'fresh' as FreshnessLevel }
  const revocations = {
    isRevoked: ({ tokenId = '' }) => revoked.has(tokenId),
    onChange: () => () => {},
    freshness: () => ({ level: world.level, ageSeconds: 0 }),
  }
  const make = (own: Verifier) => {
    const events: GuardEvent[] = []
    const onEvent = (event: GuardEvent): void => void events.push(event)
    const introspect = async (): Promise<boolean> => false
    return { guard: createGuard({ verifier: own, consumer, clock, revocations, introspect, onEvent }), events }
  }
  return {
    clock,
    keys,
    revoked,
    world,
    quick: make(verifier),
    slow: make({ verify: (token) => verifier.verify(token) }),
  }
}

type World = ReturnType<typeof setUp>

describe('admitNow', () => {
  const rows: [what: string, change: (world: World) => void, asked: Omit<Asked, 'token'>, code: string][] = [
    ['still holds', () => {}, { scopes: ['agents:read'] }, 'admitted'],
    ['has ended', ({ clock }) => clock.jump(700), {}, 'expired'],
    ['has ended by the clock that nobody sets', stopped, {}, 'expired'],
    ['is not valid yet on a clock that went back', ({ clock }) => clock.jump(-60), {}, 'not_yet_valid'],
    ['was revoked', ({ revoked }) => revoked.add('token-1'), {}, 'revoked'],
    ['lacks a scope', () => {}, { scopes: ['tools:run'] }, 'insufficient_scope'],
    ['comes with a proof', () => {}, { proof: 'x.y.z' }, 'proof_invalid'],
    ['comes in the wrong form', () => {}, { invalidRequest: true }, 'invalid_request'],
  ]
  it.each(rows)('decides at once on a known token that %s, as with waiting', async (_what, change, asked, code) => {
    const world = setUp()
    const { quick, slow } = world
    const token = makeToken(key, { jti: 'token-1' })
    expect(quick.guard.admitNow?.({ token })).toBeUndefined()
    expect((await quick.guard.admit({ token })).admitted).toBe(true)
    change(world)
    quick.events.length = 0
    const decision = quick.guard.admitNow?.({ token, ...asked })
    expect(named(decision)).toBe(code)
    expect(await quick.guard.admit({ token, ...asked })).toEqual(decision)
    expect(await slow.guard.admit({ token, ...asked })).toEqual(decision)
    // Told once by each that was asked, and in the same words.
    expect(quick.events).toEqual([...slow.events, ...slow.events])
    expect(quick.events).toHaveLength(2)
  })

  it('decides at once where there is no token', () => {
    const { quick } = setUp()
    expect(quick.guard.admitNow?.({ token: undefined })).toEqual({ admitted: false, code: 'no_token' })
    expect(quick.guard.admitNow?.({ token: '' })).toEqual({ admitted: false, code: 'no_token' })
    expect(quick.events).toMatchObject([
      { type: 'denied', code: 'no_token' },
      { type: 'denied', code: 'no_token' },
    ])
  })

  it('says and tells nothing of a token that has to be verified', async () => {
    const { quick, keys, world } = setUp()
    const token = makeToken(key)
    expect(quick.guard.admitNow?.({ token })).toBeUndefined()
    expect(quick.guard.admitNow?.({ token: 'x' })).toBeUndefined()
    await quick.guard.admit({ token })
    quick.events.length = 0
    world.level = 'stale'
    expect(quick.guard.admitNow?.({ token })).toBeUndefined()
    world.level = 'fresh'
    keys.clear()
    expect(quick.guard.admitNow?.({ token })).toBeUndefined()
    expect(quick.events).toEqual([])
    expect(await quick.guard.admit({ token })).toMatchObject({ code: 'unknown_key' })
    expect(quick.events).toHaveLength(1)
  })

  it('takes another key under the same id for another key', async () => {
    const { quick, keys } = setUp()
    const token = makeToken(key)
    await quick.guard.admit({ token })
    const other = await makeKey()
    keys.set(key.jwk.kid, { ...other.jwk, kid: key.jwk.kid } as PublicJwk)
    expect(quick.guard.admitNow?.({ token })).toBeUndefined()
    expect(await quick.guard.admit({ token })).toMatchObject({ code: 'bad_signature' })
  })

  it.each(['late', 'stale', 'starting'] as const)('leaves it to admit to decide on %s news', async (level) => {
    const { quick, slow, world } = setUp()
    const token = makeToken(key)
    await quick.guard.admit({ token })
    world.level = level
    const asked: Asked[] = [
      { token, scopes: ['chat:write'] },
      { token, scopes: ['chat:write'], availability: 'introspect' },
    ]
    for (const one of asked) {
      expect(quick.guard.admitNow?.(one)).toBeUndefined()
      expect(await quick.guard.admit(one)).toEqual(await slow.guard.admit(one))
      expect((await quick.guard.admit(one)).admitted).toBe(false)
    }
  })

  it('is not there to pass a guard by that was made from this one', async () => {
    const { guard } = setUp().quick
    const token = makeToken(key)
    await guard.admit({ token })
    const denied: Decision = { admitted: false, code: 'insufficient_scope' }
    const stricter = { ...guard, admit: async () => denied }
    expect(stricter.admitNow).toBeUndefined()
  })

  it('says nothing for a guard that was put before or over this one', async () => {
    const { guard } = setUp().quick
    const token = makeToken(key)
    await guard.admit({ token })
    const admit = async (): Promise<Decision> => ({ admitted: false, code: 'insufficient_scope' })
    const over: Guard = Object.create(guard, { admit: { value: admit } })
    const before: Guard = new Proxy(guard, {
      get: (own, name) => (name === 'admit' ? admit : Reflect.get(own, name)),
    })
    const request = { headers: { authorization: `Bearer ${token}` } }
    expect(admitRequestNow(guard, request)?.admitted).toBe(true)
    for (const stricter of [over, before]) {
      expect(stricter.admitNow?.({ token })).toBeUndefined()
      expect(admitRequestNow(stricter, request)).toBeUndefined()
      expect((await admitRequest(stricter, request)).admitted).toBe(false)
    }
  })

  it('does not pass a verifier by that was made from ours', async () => {
    const clock = testClock()
    const own = makeVerifier(key, clock)
    const refusing = { ...own, verify: () => Promise.reject(new TokenRejected('revoked', 'x')) }
    const token = makeToken(key)
    await own.verify(token)
    const guard = createGuard({ verifier: refusing, clock })
    expect(guard.admitNow?.({ token })).toBeUndefined()
    expect(await guard.admit({ token })).toMatchObject({ code: 'revoked' })
  })

  it('asks a verifier that cannot recall for everything', async () => {
    const { guard, events } = setUp().slow
    const token = makeToken(key)
    await guard.admit({ token })
    events.length = 0
    expect(guard.admitNow?.({ token })).toBeUndefined()
    expect(events).toEqual([])
  })

  it('throws faults, tells of them once, and never turns them into a refusal', async () => {
    const fault = new Error('disk on fire')
    const events: GuardEvent[] = []
    const verifier: Verifier = {
      verify: () => Promise.reject(fault),
      recall: () => {
        throw fault
      },
    }
    const guard = createGuard({ verifier, onEvent: (event) => events.push(event) })
    expect(() => guard.admitNow?.({ token: 'x' })).toThrow(fault)
    expect(events).toMatchObject([{ type: 'error', cause: fault }])
    await expect(guard.admit({ token: 'x' })).rejects.toBe(fault)
    expect(events).toHaveLength(2)
    expect(() => createGuard({ verifier }).admitNow?.({ token: 'x' })).toThrow(fault)
  })

  it('throws where the guard is closed or has nobody to ask, whatever the token', async () => {
    const { guard, events } = setUp().quick
    await guard.close()
    for (const token of [undefined, 'x']) {
      expect(() => guard.admitNow?.({ token })).toThrow(expect.objectContaining({ code: 'closed' }))
    }
    expect(events).toEqual([])
    const alone = createGuard({ verifier: makeVerifier(key, testClock()) })
    expect(() => alone.admitNow?.({ token: undefined, availability: 'introspect' })).toThrow(
      expect.objectContaining({ code: 'no_introspection' }),
    )
  })
})

/** Time went on, and the wall clock was set back by as much. */
function stopped({ clock }: World): void {
  clock.skip(700)
  clock.jump(-700)
}

function named(decision: Decision | undefined): string {
  if (decision === undefined) return 'undecided'
  return decision.admitted ? 'admitted' : decision.code
}

describe('admitRequestNow', () => {
  const known = makeToken(key, { jti: 'token-1' })
  const request = (authorization: string, more: Partial<RequestLike> = {}): RequestLike => ({
    headers: { authorization },
    ...more,
  })
  const twice = { rawHeaders: ['Authorization', `Bearer ${known}`, 'AUTHORIZATION', `Bearer ${known}`] }
  const rows: [what: string, request: RequestLike, code: string | undefined][] = [
    ['as it should', request(`Bearer ${known}`), 'admitted'],
    ['in a Fetch request', new Request('http://a', { headers: { authorization: `Bearer ${known}` } }), 'admitted'],
    ['with a query', request(`Bearer ${known}`, { url: '/agents?page=2' }), 'admitted'],
    ['with another scheme', request(`Basic ${known}`), undefined],
    ['with the scheme in lower case', request(`bearer ${known}`), undefined],
    ['with two spaces', request(`Bearer  ${known}`), undefined],
    ['with something behind', request(`Bearer ${known} `), undefined],
    ['with a second one behind', request(`Bearer ${known}, Bearer ${known}`), undefined],
    ['in two headers', request(`Bearer ${known}`, twice), undefined],
    ['in the URL too', request(`Bearer ${known}`, { url: `/agents?access_token=${known}` }), undefined],
    ['with a proof', { headers: { authorization: `Bearer ${known}`, dpop: 'x.y.z' } }, undefined],
    ['as a list', { headers: { authorization: [`Bearer ${known}`] } }, undefined],
    ['not at all', { headers: {} }, undefined],
    ['empty', request('Bearer '), undefined],
    ['with another token', request(`Bearer ${makeToken(key, { jti: 'token-2' })}`), undefined],
  ]

  it.each(rows)(
    'decides on a known token that comes %s as admitRequest does, or not at all',
    async (_what, asked, code) => {
      const { quick } = setUp()
      expect((await quick.guard.admit({ token: known })).admitted).toBe(true)
      const now = admitRequestNow(quick.guard, asked, ['agents:read'])
      expect(now && codeOf(now)).toBe(code)
      if (now !== undefined) expect(now).toEqual(await admitRequest(quick.guard, asked, ['agents:read']))
      // A guard that cannot decide at once is not asked to.
      const { admit, ...rest } = quick.guard
      expect(admitRequestNow({ ...rest, admit }, asked)).toBeUndefined()
    },
  )

  it('says what the route says on late news', async () => {
    const { quick, world } = setUp()
    await quick.guard.admit({ token: known })
    world.level = 'stale'
    const asked = request(`Bearer ${known}`)
    expect(admitRequestNow(quick.guard, asked)).toBeUndefined()
    expect(admitRequestNow(quick.guard, asked, [], { availability: 'token-life' })).toMatchObject({ admitted: true })
  })
})
