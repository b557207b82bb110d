import type { Principal, RejectionCode, Verifier } from '@countersign/tokens'
import { TokenRejected } from '@countersign/tokens'
import { describe, expect, it } from 'vitest'
import { createGuard, type GuardEvent, guardErrorCodes, guardRemedies, isGuardError } from '../src/index.ts'
import { audience, issuer, makeKey, makeToken, makeVerifier, NOW, testClock } from './fixtures.ts'

const key = await makeKey()
const stranger = await makeKey()

function setUp() {
  const clock = testClock()
  const events: GuardEvent[] = []
  const revoked = new Set<string>()
  const guard = createGuard({
    verifier: makeVerifier(key, clock),
    clock,
    onEvent: (event) => events.push(event),
    revocations: { isRevoked: (p) => revoked.has(p.tokenId ?? ''), onChange: () => () => {} },
  })
  return { clock, events, revoked, guard }
}

describe('admit', () => {
  it('admits a token that has the scopes, and says for whom', async () => {
    const { guard } = setUp()
    const decision = await guard.admit({ token: makeToken(key), scopes: ['agents:read'] })
    expect(decision).toMatchObject({ admitted: true, principal: { subject: 'user_1', clientId: 'web' } })
  })

  it('admits a token without asking for scopes', async () => {
    expect((await setUp().guard.admit({ token: makeToken(key, { scope: '' }) })).admitted).toBe(true)
  })

  const refused: [why: string, token: string | undefined, code: RejectionCode][] = [
    ['is not there', undefined, 'no_token'],
    ['is empty', '', 'no_token'],
    ['is no token', 'x', 'malformed'],
    ['was signed by somebody else', makeToken(stranger), 'unknown_key'],
    ['is for another audience', makeToken(key, { aud: 'billing-worker' }), 'wrong_audience'],
    ['is of another issuer', makeToken(key, { iss: 'https://other.example.com' }), 'wrong_issuer'],
    ['expired', makeToken(key, { iat: NOW - 700, exp: NOW - 100 }), 'expired'],
    ['is bound to a key', makeToken(key, { cnf: { jkt: 'A'.repeat(43) } }), 'proof_required'],
  ]
  it.each(refused)('refuses a token that %s', async (_why, token, code) => {
    expect(await setUp().guard.admit({ token })).toEqual({ admitted: false, code })
  })

  it('refuses credentials in the wrong form, also beside a good token', async () => {
    const decision = await setUp().guard.admit({ token: makeToken(key), invalidRequest: true })
    expect(decision).toEqual({ admitted: false, code: 'invalid_request' })
  })

  it('names the scopes that are missing, and only those', async () => {
    const decision = await setUp().guard.admit({
      token: makeToken(key),
      scopes: ['agents:read', 'tools:run', 'agents:write'],
    })
    expect(decision).toMatchObject({
      admitted: false,
      code: 'insufficient_scope',
      missingScopes: ['tools:run', 'agents:write'],
      principal: { subject: 'user_1' },
    })
  })

  it.each([
    ['a bound token', { cnf: { jkt: 'A'.repeat(43) } }],
    ['a token that is not bound', {}],
  ])('counts no proof as good, beside %s', async (_what, change) => {
    const decision = await setUp().guard.admit({ token: makeToken(key, change), proof: 'x.y.z' })
    expect(decision).toEqual({ admitted: false, code: 'proof_invalid' })
  })

  it('says of a bad token what is wrong with it, not that its proof or scopes are', async () => {
    const token = makeToken(key, { aud: 'billing-worker', scope: '', cnf: { jkt: 'A'.repeat(43) } })
    expect(await setUp().guard.admit({ token, scopes: ['x:y'] })).toMatchObject({ code: 'wrong_audience' })
  })

  it('refuses what was revoked, at once', async () => {
    const { guard, revoked } = setUp()
    const token = makeToken(key, { jti: 'token-1' })
    expect((await guard.admit({ token })).admitted).toBe(true)
    revoked.add('token-1')
    expect(await guard.admit({ token })).toEqual({ admitted: false, code: 'revoked' })
  })

  it.each(['keys_unavailable', 'revocations_stale'] as const)('asks to come again on %s', async (code) => {
    const guard = createGuard({ verifier: { verify: () => Promise.reject(new TokenRejected(code, 'x')) } })
    expect(await guard.admit({ token: 'x' })).toEqual({ admitted: false, code, retryAfterSeconds: 5 })
  })

  it('never turns a fault of ours into a refusal', async () => {
    const fault = new Error('disk on fire')
    const events: GuardEvent[] = []
    const guard = createGuard({
      verifier: { verify: () => Promise.reject(fault) },
      onEvent: (event) => events.push(event),
    })
    await expect(guard.admit({ token: 'x' })).rejects.toBe(fault)
    expect(events).toMatchObject([{ type: 'error', cause: fault }])
  })

  it('throws a fault also where nobody listens to events', async () => {
    const fault = new Error('disk on fire')
    await expect(createGuard({ verifier: { verify: () => Promise.reject(fault) } }).admit({ token: 'x' })).rejects.toBe(
      fault,
    )
    const quiet = createGuard({ verifier: makeVerifier(key, testClock()) })
    expect(quiet.admitNow?.({ token: undefined })).toEqual({ admitted: false, code: 'no_token' })
  })

  it.each([undefined, null, 'route'])('throws an error also where %s was thrown', async (thrown) => {
    const verifier = makeVerifier(key, testClock())
    const throwing = (): never => {
      throw thrown
    }
    const expected = expect.objectContaining({ constructor: Error, cause: thrown })
    const token = makeToken(key)
    await expect(createGuard({ verifier: { verify: throwing } }).admit({ token })).rejects.toEqual(expected)
    const recalling = createGuard({ verifier: { verify: throwing, recall: throwing } })
    expect(() => recalling.admitNow?.({ token })).toThrow(expected)
    const revocations = { isRevoked: throwing, onChange: () => () => {} }
    await expect(createGuard({ verifier, revocations }).admit({ token })).rejects.toEqual(expected)
  })

  it.each([1, 'yes', {}, Promise.resolve(false)])('takes %s for the yes of a port without types', async (yes) => {
    const clock = testClock()
    const revocations = { isRevoked: () => yes as boolean, onChange: () => () => {} }
    const guard = createGuard({ verifier: makeVerifier(key, clock), clock, revocations })
    const token = makeToken(key)
    expect(await guard.admit({ token })).toEqual({ admitted: false, code: 'revoked' })
    const decision = await createGuard({ verifier: makeVerifier(key, clock), clock }).admit({ token })
    if (!decision.admitted) throw new Error('not admitted')
    expect(guard.permits(decision.principal, [])).toBe(false)
  })

  it('takes no more once it is closed', async () => {
    const { guard } = setUp()
    const decision = await guard.admit({ token: makeToken(key) })
    await guard.close()
    await expect(guard.admit({ token: makeToken(key) })).rejects.toMatchObject({
      code: 'closed',
      message: 'The guard is closed.',
    })
    if (!decision.admitted) throw new Error('not admitted')
    expect(() => guard.watch(decision.principal, () => {})).toThrow(
      expect.objectContaining({ code: 'closed', message: 'The guard is closed.' }),
    )
  })
})

describe('permits', () => {
  async function admitted() {
    const world = setUp()
    const decision = await world.guard.admit({ token: makeToken(key, { jti: 'token-1' }) })
    if (!decision.admitted) throw new Error('not admitted')
    return { ...world, principal: decision.principal }
  }

  it('asks for every scope', async () => {
    const { guard, principal } = await admitted()
    expect(guard.permits(principal, [])).toBe(true)
    expect(guard.permits(principal, ['agents:read', 'chat:write'])).toBe(true)
    expect(guard.permits(principal, ['agents:read', 'tools:run'])).toBe(false)
  })

  it('ends at exp to the second', async () => {
    const { guard, principal, clock } = await admitted()
    clock.jump(599.999)
    expect(guard.permits(principal, [])).toBe(true)
    clock.jump(0.001)
    expect(guard.permits(principal, [])).toBe(false)
  })

  it('ends when the principal is revoked', async () => {
    const { guard, principal, revoked } = await admitted()
    revoked.add('token-1')
    expect(guard.permits(principal, [])).toBe(false)
  })
})

describe('events', () => {
  it('tell result, reason, algorithm and surface, and nothing out of the token', async () => {
    const { guard, events } = setUp()
    await guard.admit({ token: makeToken(key), surface: 'http' })
    await guard.admit({ token: makeToken(key, { aud: 'elsewhere' }), surface: 'mcp' })
    await guard.admit({ token: undefined })
    await guard.admit({ token: `${btoa('{"alg":"RS1","kid":"x"}')}.e30.AA` })
    await guard.admit({ token: `${btoa('{"alg":"none"}')}.e30.` })
    await guard.admit({ token: '!!.e30.' })
    expect(
      events.map(({ type, ...event }) => [
        type,
        'code' in event && event.code,
        'algorithm' in event && event.algorithm,
        'surface' in event && event.surface,
      ]),
    ).toEqual([
      ['admitted', false, 'EdDSA', 'http'],
      ['denied', 'wrong_audience', 'EdDSA', 'mcp'],
      ['denied', 'no_token', false, 'other'],
      ['denied', 'malformed', 'other', 'other'],
      ['denied', 'malformed', 'none', 'other'],
      ['denied', 'malformed', false, 'other'],
    ])
    expect(events[1]).toMatchObject({ where: 'claims.aud', setting: 'audience' })
    expect(JSON.stringify(events)).not.toMatch(/elsewhere|user_1|RS1|eyJ/)
  })

  it('remember a bounded number of headers', async () => {
    const { guard, events } = setUp()
    for (let index = 0; index < 200; index += 1) {
      await guard.admit({ token: `${btoa(`{"alg":"ES256","kid":"${index}"}`)}.e30.AA` })
    }
    expect(events).toHaveLength(200)
    expect(events.every((event) => event.type === 'denied' && event.algorithm === 'ES256')).toBe(true)
  })

  it('call keys that cannot be had an error, since no decision was made', async () => {
    const events: GuardEvent[] = []
    const verifier: Verifier = { verify: () => Promise.reject(new TokenRejected('keys_unavailable', 'x')) }
    await createGuard({ verifier, onEvent: (event) => events.push(event) }).admit({ token: 'x' })
    expect(events).toMatchObject([{ type: 'error', code: 'keys_unavailable' }])
  })
})

describe('options', () => {
  const verifier: Verifier = { verify: () => Promise.reject(new Error('never asked')) }
  const consumer = { audience, scopes: { 'agents:read': {} }, resource: 'https://api.example.com' }

  it('tell what the guard knows of its consumer', () => {
    const guard = createGuard({ verifier, issuer, consumer })
    expect(guard).toMatchObject({ audience, issuer, resource: 'https://api.example.com', scopes: ['agents:read'] })
    expect(createGuard({ verifier })).toMatchObject({ audience: undefined, scopes: undefined, resource: undefined })
  })

  it('say whether routes may ask the issuer', () => {
    expect(createGuard({ verifier }).canIntrospect).toBe(false)
    expect(createGuard({ verifier, introspect: async () => true }).canIntrospect).toBe(true)
  })

  it('give the guard the scopes of its consumer as types', async () => {
    const guard = createGuard({ verifier, consumer })
    // @ts-expect-error the consumer has no such scope
    await guard.admit({ token: undefined, scopes: ['agents:wirte'] })
    // @ts-expect-error nor here
    guard.permits({ scopes: new Set() } as unknown as Principal, ['agents:wirte'])
  })

  it.each([
    ['neither audience nor consumer', { issuer }],
    ["an audience that is not the consumer's", { issuer, audience: 'other', consumer }],
    ['a resource that is no URL', { verifier, resource: 'api' }],
    ['a resource without TLS', { verifier, resource: 'http://api.example.com' }],
    ['a resource with a query', { verifier, resource: 'https://api.example.com?x' }],
    ['a resource with credentials', { verifier, resource: 'https://u:p@api.example.com' }],
  ])('refuse %s', (_what, options) => {
    const message = expect.stringMatching(/`(audience|resource)`/)
    expect(() => createGuard(options)).toThrow(
      expect.objectContaining({ name: 'GuardError', code: 'bad_option', message }),
    )
  })

  it('name a remedy for every error', () => {
    expect(Object.keys(guardRemedies).sort()).toEqual([...guardErrorCodes].sort())
    expect(isGuardError(Object.assign(new Error('x'), { name: 'GuardError', code: 'closed' }))).toBe(true)
    expect(isGuardError(new Error('closed'))).toBe(false)
  })
})
