import { generateKeyPairSync, sign } from 'node:crypto'
import { createVerifier, type Principal, staticKeys, type Verifier } from '@countersign/tokens'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { ForeignEnd, ForeignEvents } from '../src/index.ts'
import { type Fleet, startFleet } from './exchange-fixture.ts'

const otherIssuer = 'https://login.example.com'
const other = generateKeyPairSync('ed25519')

let fleet: Fleet
let now: number
let serial = 0
let answers: ForeignEvents
/** A token of the other issuer, of a person and a session of their own. */
function foreign(claims: object = {}): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const more = { jti: `theirs-${++serial}`, client_id: 'their-app', scope: '', exp: now + 120, iat: now, ...claims }
  const all = { iss: otherIssuer, sub: 'user_1', aud: 'agents', sid: 'sess_1', org_id: 'org_1', ...more }
  const input = `${encode({ alg: 'EdDSA', typ: 'at+jwt', kid: 'theirs' })}.${encode(all)}`
  return `${input}.${sign(null, Buffer.from(input), other.privateKey).toString('base64url')}`
}

beforeAll(async () => {
  const { x = '' } = other.publicKey.export({ format: 'jwk' })
  const keys = staticKeys({ keys: [{ kty: 'OKP', crv: 'Ed25519', x, kid: 'theirs', alg: 'EdDSA', use: 'sig' }] })
  fleet = await startFleet({
    subjectVerifiers: [
      {
        name: 'login',
        issuer: otherIssuer,
        verifier: createVerifier({ issuer: otherIssuer, audience: 'agents', keys }),
        audience: 'agent-api',
        scopes: ['agents:read', 'jobs:run'],
        grants: ({ organization }) => (organization === 'org_readers' ? ['agents:read', 'admin:all'] : ['jobs:run']),
        longestLifeSeconds: 600,
        events: (request, end) => answers(request, end),
      },
    ],
  })
  await fleet.service.issuer.feed?.started
})
afterAll(() => fleet.service.close())
beforeEach(() => {
  now = fleet.service.clock.now()
  fleet.service.events.splice(0)
})

const to = (audience: string) => ({ audience })
const reasons = () => fleet.service.events.flatMap((one) => (one.type === 'exchange_refused' ? [one.reason] : []))

/** What a guard that follows the feed says of it. */
async function isRevoked(token: string, audience = 'billing-worker'): Promise<boolean> {
  const { keys } = fleet.service.issuer.jwks().document
  const verifier: Verifier = createVerifier({
    issuer: fleet.service.url,
    audience,
    keys: staticKeys({ keys }),
    clock: fleet.service.clock,
  })
  const principal: Principal = await verifier.verify(token)
  return fleet.service.issuer.feed?.revocations.isRevoked(principal) ?? false
}
const isActive = async (token: string) => (await fleet.service.issuer.introspectToken(token)).active

describe('an end that another issuer tells of', () => {
  const ends: [what: string, of: object, end: () => ForeignEnd, reason: string][] = [
    ['its session', { sid: 'sess_a' }, () => ({ type: 'session', id: 'sess_a' }), 'session_ended'],
    ['its person', { sub: 'user_a' }, () => ({ type: 'subject', id: 'user_a' }), 'party_ended'],
    [
      'what a person was until now',
      { sub: 'user_b' },
      () => ({ type: 'subject', id: 'user_b', issuedUntil: now }),
      'party_ended',
    ],
    ['its organization', { org_id: 'org_a' }, () => ({ type: 'organization', id: 'org_a' }), 'party_ended'],
    [
      'what an organization was',
      { org_id: 'org_b' },
      () => ({ type: 'organization', id: 'org_b', issuedUntil: now }),
      'party_ended',
    ],
    ['who acts there', { act: { sub: 'admin_a' } }, () => ({ type: 'subject', id: 'admin_a' }), 'party_ended'],
  ]
  it.each(ends)('reaches all that came of %s, and nothing else', async (_what, claims, end, reason) => {
    const token = await fleet.exchanged('agent-api', foreign(claims), to('billing-worker'))
    const grandchild = await fleet.exchanged('billing-worker', token, to('ledger'))
    const others = await fleet.exchanged(
      'agent-api',
      foreign({ sub: 'user_z', sid: 'sess_z', org_id: 'org_z' }),
      to('billing-worker'),
    )
    expect([await isActive(token), await isActive(grandchild), await isRevoked(token)]).toEqual([true, true, false])

    await fleet.service.issuer.foreign.end('login', end())
    expect([await isRevoked(token), await isRevoked(grandchild, 'ledger'), await isRevoked(others)]).toEqual([
      true,
      true,
      false,
    ])
    expect([await isActive(token), await isActive(grandchild), await isActive(others)]).toEqual([false, false, true])
    expect((await fleet.exchange('agent-api', foreign(claims), to('billing-worker'))).body.error).toBe(
      'invalid_request',
    )
    expect((await fleet.exchange('billing-worker', token, to('ledger'))).status).toBe(400)
    expect(reasons()).toEqual([reason, reason])
  })

  it('of an organization is none of a person who has the same id, nor the reverse', async () => {
    const inSeven = await fleet.exchanged(
      'agent-api',
      foreign({ sub: 'user_s', sid: 's_1', org_id: '7' }),
      to('billing-worker'),
    )
    const seven = await fleet.exchanged(
      'agent-api',
      foreign({ sub: '8', sid: 's_2', org_id: 'org_s' }),
      to('billing-worker'),
    )
    await fleet.service.issuer.foreign.end('login', { type: 'subject', id: '7' })
    await fleet.service.issuer.foreign.end('login', { type: 'organization', id: '8' })
    expect([await isRevoked(inSeven), await isRevoked(seven)]).toEqual([false, false])
    expect([await isActive(inSeven), await isActive(seven)]).toEqual([true, true])
  })

  it('leaves what was issued later: they signed in again, or have another role', async () => {
    const claims = { sub: 'user_c', org_id: 'org_c' }
    await fleet.service.issuer.foreign.end('login', { type: 'subject', id: 'user_c', issuedUntil: now - 1 })
    const token = await fleet.exchanged('agent-api', foreign(claims), to('billing-worker'))
    expect([await isRevoked(token), await isActive(token)]).toEqual([false, true])
    // An earlier instant that comes late takes nothing back, and brings nothing.
    await fleet.service.issuer.foreign.end('login', { type: 'subject', id: 'user_c', issuedUntil: now - 50 })
    expect((await fleet.exchange('agent-api', foreign({ ...claims, iat: now - 1 }), to('billing-worker'))).status).toBe(
      400,
    )
    expect(await isRevoked(token)).toBe(false)
  })

  it('ends no token that a person of ours by the same id has', async () => {
    const ours = await fleet.signIn()
    await fleet.service.issuer.foreign.end('login', { type: 'subject', id: fleet.userId })
    expect([await isRevoked(ours, 'agent-api'), await isActive(ours)]).toEqual([false, true])
  })

  it('is recorded with who told of it, before it is done', async () => {
    const { audits, issuer } = fleet.service
    await issuer.foreign.end('login', { type: 'organization', id: 'org_d', issuedUntil: 7 })
    expect(audits.at(-1)).toEqual({
      action: 'foreign.end',
      outcome: 'allowed',
      actor: { type: 'system', id: 'login' },
      target: { type: 'organization', id: 'login:org_d' },
      details: { issuedUntil: 7 },
    })
    fleet.service.failAudit(new Error('the disk is full'))
    await expect(issuer.foreign.end('login', { type: 'session', id: 'sess_d' })).rejects.toMatchObject({
      code: 'temporarily_unavailable',
    })
    fleet.service.failAudit(undefined)
    await fleet.exchanged('agent-api', foreign({ sid: 'sess_d' }), to('billing-worker'))
  })

  it('is forgotten once no token of then can live', async () => {
    const { stores, issuer } = fleet.service
    await issuer.foreign.end('login', { type: 'session', id: 'sess_e' })
    const held = (await stores.revocations.snapshot()).entries.find((one) => 'id' in one && one.id === 'login:sess_e')
    expect(held).toEqual({ type: 'sid', id: 'login:sess_e', until: now + 600 + 120 })
  })

  it.each<[what: string, name: string, ended: unknown, code: string]>([
    ['an issuer that is not declared', 'other', { type: 'session', id: 'a' }, 'unknown_issuer'],
    ['a kind that is none', 'login', { type: 'client', id: 'a' }, 'invalid_option'],
    ['an empty id', 'login', { type: 'session', id: '' }, 'invalid_option'],
    ['an id that is too long', 'login', { type: 'session', id: 'x'.repeat(480) }, 'invalid_option'],
    ['an id with a line end', 'login', { type: 'session', id: 'a\nb' }, 'invalid_option'],
    ['an instant in milliseconds', 'login', { type: 'subject', id: 'a', issuedUntil: 1.7e12 }, 'invalid_option'],
    ['an instant that is no whole second', 'login', { type: 'subject', id: 'a', issuedUntil: 0.5 }, 'invalid_option'],
  ])('is refused for %s', async (_what, name, ended, code) => {
    const ending = fleet.service.issuer.foreign.end(name, ended as ForeignEnd)
    await expect(ending).rejects.toMatchObject({ code })
  })
})

describe('what a token of another issuer is for', () => {
  it('is what `grants` says of it, of what was declared', async () => {
    const read = await fleet.exchange('agent-api', foreign({ org_id: 'org_readers' }), to('billing-worker'))
    expect(read.body.scope).toBe('agents:read')
    const wider = { ...to('billing-worker'), scope: 'jobs:run' }
    const refused = await fleet.exchange('agent-api', foreign({ org_id: 'org_readers' }), wider)
    expect([refused.status, refused.body.error]).toEqual([400, 'invalid_scope'])
  })
})

describe('POST /issuers/NAME/events', () => {
  const tell = (body = 'sess_f', path = '/issuers/login/events') =>
    fetch(fleet.service.url + path, { method: 'POST', body, headers: { 'x-signature': 'good' } })

  it('hands the request to the issuer’s own reader, as it was sent', async () => {
    answers = async (request, end) => {
      if (request.headers.get('x-signature') !== 'good') return new Response('no', { status: 400 })
      await end({ type: 'session', id: await request.text() })
      return new Response(null, { status: 204 })
    }
    const token = await fleet.exchanged('agent-api', foreign({ sid: 'sess_f' }), to('billing-worker'))
    expect((await tell()).status).toBe(204)
    expect(await isRevoked(token)).toBe(true)
    const forged = await fetch(`${fleet.service.url}/issuers/login/events`, { method: 'POST', body: 'sess_g' })
    expect([forged.status, await forged.text()]).toEqual([400, ''])
    expect((await fleet.exchange('agent-api', foreign({ sid: 'sess_g' }), to('billing-worker'))).status).toBe(200)
  })

  it('takes no other name, method, or size, and says 5xx where it failed, so that it is told again', async () => {
    answers = () => Promise.reject(new Error('its own fault'))
    expect((await tell()).status).toBe(500)
    expect((await tell('x', '/issuers/nobody/events')).status).toBe(404)
    expect((await tell('x', '/issuers/login/events?a=b')).status).toBe(400)
    expect((await fetch(`${fleet.service.url}/issuers/login/events`)).status).toBe(405)
    expect((await tell('x'.repeat(262_145))).status).toBe(413)
    answers = async (request) => new Response(null, { status: (await request.text()).length === 262_144 ? 204 : 400 })
    expect((await tell('x'.repeat(262_144))).status).toBe(204)
  })
})
