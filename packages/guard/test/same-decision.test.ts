import type { FreshnessLevel } from '@countersign/revocation'
import { createVerifier, type PublicJwk, type Verifier } from '@countersign/tokens'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { admitRequest, admitRequestNow } from '../src/http.ts'
import { type Availability, createGuard, type Decision } from '../src/index.ts'
import { audience, issuer, makeKey, makeToken, NOW, testClock } from './fixtures.ts'

const key = await makeKey()
const other = await makeKey()
const consumer = {
  audience,
  scopes: { 'agents:read': {}, 'chat:write': { sensitive: true }, 'tools:run': { sideEffects: true } },
}
type Scope = keyof typeof consumer.scopes

const tokens = [
  makeToken(key, { jti: 'plain', exp: NOW + 600 }),
  makeToken(key, { jti: 'all', scope: 'agents:read chat:write tools:run', exp: NOW + 1200 }),
  makeToken(key, { jti: 'other', sub: 'user_2', scope: 'agents:read', exp: NOW + 900 }),
  makeToken(key, { jti: 'bound', cnf: { jkt: 'A'.repeat(43) } }),
  makeToken(key, { jti: 'early', iat: NOW + 300, exp: NOW + 900 }),
  makeToken(other, { jti: 'foreign' }),
  `${makeToken(key, { jti: 'forged' }).slice(0, -10)}AAAAAAAAAA`,
]

const step = fc.oneof(
  fc.record({ do: fc.constant('advance' as const), seconds: fc.integer({ min: 0, max: 400 }) }),
  fc.record({ do: fc.constant('jump' as const), seconds: fc.integer({ min: -400, max: 400 }) }),
  fc.record({ do: fc.constant('revoke' as const), id: fc.constantFrom('plain', 'all', 'other', 'user_2') }),
  fc.record({
    do: fc.constant('news' as const),
    level: fc.constantFrom<FreshnessLevel>('starting', 'fresh', 'degraded', 'late', 'stale'),
  }),
  fc.record({ do: fc.constant('key' as const), is: fc.constantFrom('there', 'gone', 'new', 'another') }),
  fc.record({ do: fc.constant('issuer' as const), says: fc.constantFrom(true, false, undefined) }),
)
const route = fc.record({
  // Good ones mostly: only what was accepted before is decided on at once.
  token: fc.oneof({ arbitrary: fc.constantFrom(...tokens.slice(0, 3)), weight: 4 }, fc.constantFrom(...tokens)),
  scopes: fc.subarray<Scope>(['agents:read', 'chat:write', 'tools:run']),
  availability: fc.constantFrom<Availability | undefined>(undefined, 'token-life', 'introspect'),
  form: fc.oneof(
    { arbitrary: fc.constant('plain'), weight: 4 },
    fc.constantFrom('lower case', 'proof', 'twice', 'query', 'space', 'dpop'),
  ),
})

/** Three guards in one world: one remembers tokens, one asks it to verify each time, one remembers nothing. */
function makeWorld() {
  const clock = testClock()
  const revoked = new Set<string>()
  const world = { level: 'fresh' as FreshnessLevel, isActive: true as boolean | undefined }
  const keys = new Map([[key.jwk.kid, key.jwk]])
  const source = { get: (kid: string) => keys.get(kid), load: async (kid: string) => keys.get(kid) }
  const revocations = {
    isRevoked: ({ tokenId = '', subject }: { tokenId?: string; subject: string }) =>
      revoked.has(tokenId) || revoked.has(subject),
    onChange: () => () => {},
    freshness: () => ({ level: world.level, ageSeconds: 0 }),
  }
  const introspect = async (): Promise<boolean> => {
    if (world.isActive === undefined) throw new Error('no answer')
    return world.isActive
  }
  const make = (verifier: Verifier) => createGuard<Scope>({ verifier, consumer, clock, revocations, introspect })
  const options = { issuer, audience, keys: source, clock }
  const remembering = createVerifier(options)
  const guards = {
    quick: make(remembering),
    slow: make({ verify: (token) => remembering.verify(token) }),
    forgetful: make(createVerifier({ ...options, cache: false })),
  }
  return { ...guards, clock, revoked, world, keys }
}

function apply(
  { clock, revoked, world, keys }: ReturnType<typeof makeWorld>,
  action: typeof step extends fc.Arbitrary<infer T> ? T : never,
) {
  if (action.do === 'advance') clock.advance(action.seconds)
  else if (action.do === 'jump') clock.jump(action.seconds)
  else if (action.do === 'revoke') revoked.add(action.id)
  else if (action.do === 'news') world.level = action.level
  else if (action.do === 'issuer') world.isActive = action.says
  else {
    const { kid } = key.jwk
    keys.delete(kid)
    if (action.is === 'there') keys.set(kid, key.jwk)
    if (action.is === 'new') keys.set(kid, { ...key.jwk })
    if (action.is === 'another') keys.set(kid, { ...other.jwk, kid } as PublicJwk)
  }
}

function requestOf({ token, form }: { token: string; form: string }) {
  const scheme = { 'lower case': 'bearer ', space: 'Bearer  ', dpop: 'DPoP ' }[form] ?? 'Bearer '
  const authorization = scheme + token
  const rawHeaders = ['Authorization', authorization, ...(form === 'twice' ? ['AUTHORIZATION', 'Basic x'] : [])]
  const headers = { authorization, ...(form === 'proof' ? { dpop: 'a.b.c' } : {}) }
  return { headers, rawHeaders, url: form === 'query' ? '/x?access%5Ftoken=x' : '/x?y=access_token' }
}

it('is made with waiting and without, with a memory and without one, whatever happened in which order', async () => {
  const outcomes = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ before: fc.array(step, { maxLength: 2 }), asked: route }), { minLength: 1, maxLength: 12 }),
      async (turns) => {
        const world = makeWorld()
        let wentBack = false
        for (const { before, asked } of turns) {
          for (const action of before) {
            wentBack ||= action.do === 'jump' && action.seconds < 0
            apply(world, action)
          }
          const { scopes, availability } = asked
          const options = availability === undefined ? {} : { availability }
          const request = requestOf(asked)
          const now = admitRequestNow(world.quick, request, scopes, options)
          const slow = await admitRequest(world.slow, request, scopes, options)
          expect(now ?? slow).toEqual(slow)
          expect(await admitRequest(world.quick, request, scopes, options)).toEqual(slow)
          const forgetful = await admitRequest(world.forgetful, request, scopes, options)
          // By the clock that nobody sets, a remembered token has ended although the wall clock went back.
          if (!wentBack || slow.admitted) expect(named(forgetful)).toBe(named(slow))
          const outcome = `${now === undefined ? 'waited' : 'at once'}: ${named(slow)}`
          outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
        }
      },
    ),
    { numRuns: 400 },
  )
  // Else it would have said nothing.
  for (const code of ['admitted', 'revoked', 'insufficient_scope']) {
    expect([...outcomes.keys()]).toEqual(expect.arrayContaining([`at once: ${code}`, `waited: ${code}`]))
  }
})

const named = (decision: Decision): string => (decision.admitted ? 'admitted' : decision.code)
