import { createRevocationView, type RevocationEntry } from '@countersign/revocation'
import { describe, expect, it } from 'vitest'
import { createGuard } from '../src/index.ts'
import { audience, makeKey, makeToken, makeVerifier, NOW, testClock } from './fixtures.ts'

const key = await makeKey()
const consumer = {
  audience,
  scopes: { 'agents:read': {}, 'chat:write': { sideEffects: true }, 'tools:run': { sideEffects: false } },
}
const scope = 'agents:read chat:write tools:run'

describe('a monitor', () => {
  it('is let in to look, and nowhere where something would change', async () => {
    const guard = createGuard({ verifier: makeVerifier(key, testClock()), consumer, clock: testClock() })
    const token = makeToken(key, { scope, synthetic: true })
    const allowed = await guard.admit({ token, scopes: ['agents:read', 'tools:run'] })
    expect(allowed.admitted).toBe(true)
    const refused = { admitted: false, code: 'insufficient_scope', missingScopes: ['chat:write'] }
    expect(await guard.admit({ token, scopes: ['agents:read', 'chat:write'] })).toMatchObject(refused)
    expect(guard.admitNow?.({ token, scopes: ['chat:write'] })).toMatchObject(refused)
    if (!allowed.admitted) return
    expect(guard.permits(allowed.principal, ['tools:run'])).toBe(true)
    expect(guard.permits(allowed.principal, ['chat:write'])).toBe(false)
  })

  it('is told from everybody else', async () => {
    const guard = createGuard({ verifier: makeVerifier(key, testClock()), consumer, clock: testClock() })
    expect((await guard.admit({ token: makeToken(key, { scope }), scopes: ['chat:write'] })).admitted).toBe(true)
  })
})

describe('a watched principal that rests on others', () => {
  const until = NOW + 600
  const ends: [what: string, entry: RevocationEntry][] = [
    ['a client', { type: 'client', id: 'client_root', minGeneration: 1, until }],
    ['a user', { type: 'subject', id: 'user_operator', minGeneration: 1, until }],
    ['a session', { type: 'sid', id: 'sid-of-operator', until }],
    ['a token', { type: 'jti', id: 'jti-of-operator', until }],
  ]
  it.each(ends)('ends with %s', async (_what, entry) => {
    const view = createRevocationView()
    await view.load({ position: { epoch: 1, seq: 0 }, count: 0, digest: '0'.repeat(16), entries: new Uint8Array() })
    const clock = testClock()
    const guard = createGuard({ verifier: makeVerifier(key, clock), clock, revocations: view })
    const via = ['client_root', 'user_operator', 'sid-of-operator', 'jti-of-operator']
    const decision = await guard.admit({ token: makeToken(key, { via, gen: [0, 0, 0, 0, 0, 0, 0] }) })
    if (!decision.admitted) throw new Error(decision.code)
    const ended = new Promise((resolve) => guard.watch(decision.principal, resolve))
    view.apply(1, [{ seq: 1, change: 'add', entry }])
    expect(await ended).toEqual({ reason: 'revoked' })
  })
})
