import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createVerifier, staticKeys } from '@countersign/tokens'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { SubjectVerifier } from '../src/index.ts'
import { type Fleet, jwtType, fleet as matrix, startFleet } from './exchange-fixture.ts'
import { claimsOf, signInBody } from './service.ts'

const otherIssuer = 'https://login.example.com'
const other = generateKeyPairSync('ed25519')
const stranger = generateKeyPairSync('ed25519')

function jwt(key: KeyObject, claims: object, header: object = {}): string {
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const input = `${encode({ alg: 'EdDSA', typ: 'at+jwt', kid: 'theirs', ...header })}.${encode(claims)}`
  return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`
}

let fleet: Fleet
let now: number
/** A session token of the other issuer. */
const foreign = (claims: object = {}, key = other.privateKey): string =>
  jwt(key, {
    iss: otherIssuer,
    sub: 'user_2abc',
    aud: 'agents.example.com',
    exp: now + 120,
    iat: now,
    jti: 'theirs-1',
    client_id: 'their-app',
    scope: 'everything',
    sid: 'sess_1',
    ...claims,
  })

beforeAll(async () => {
  const { x = '' } = other.publicKey.export({ format: 'jwk' })
  const keys = staticKeys({ keys: [{ kty: 'OKP', crv: 'Ed25519', x, kid: 'theirs', alg: 'EdDSA', use: 'sig' }] })
  const verifier = createVerifier({ issuer: otherIssuer, audience: 'agents.example.com', keys })
  fleet = await startFleet({
    subjectVerifiers: [
      { name: 'clerk', issuer: otherIssuer, verifier, audience: 'agent-api', scopes: ['agents:read', 'jobs:run'] },
    ],
  })
  now = fleet.service.clock.now()
})
afterAll(() => fleet.service.close())
beforeEach(() => fleet.service.events.splice(0))

const toBilling = { audience: 'billing-worker' }
const reasonOf = () => fleet.service.events.flatMap((one) => (one.type === 'exchange_refused' ? [one.reason] : []))

describe('a token of another issuer', () => {
  it('is worth what was declared, for somebody who is nobody of ours', async () => {
    const token = await fleet.exchanged('agent-api', foreign(), { ...toBilling, subject_token_type: jwtType })
    expect(claimsOf(token)).toMatchObject({
      iss: fleet.service.url,
      sub: 'clerk:user_2abc',
      sid: 'clerk:sess_1',
      scope: 'jobs:run agents:read',
      exp: now + 120,
      client_id: fleet.of('agent-api').id,
      act: { sub: fleet.of('agent-api').id },
      gen: [0, 0, now, 0],
    })
    expect(claimsOf(token)).not.toHaveProperty('anc')
    expect((await fleet.service.issuer.introspectToken(token)).active).toBe(true)
    const next = claimsOf(await fleet.exchanged('billing-worker', token))
    expect(next).toMatchObject({ sub: 'clerk:user_2abc', anc: [claimsOf(token).jti], gen: [0, 0, now, 0, 0] })
    await fleet.service.issuer.revokeToken(token)
    expect((await fleet.exchange('billing-worker', token)).status).toBe(400)
  })

  it('keeps whom its issuer says acts, under that issuer’s name', async () => {
    const subject = foreign({ act: { sub: fleet.of('ledger').id, client_id: 'client_x' }, org_id: 'org_1' })
    const claims = claimsOf(await fleet.exchanged('agent-api', subject, toBilling))
    expect(claims).toMatchObject({
      act: {
        sub: fleet.of('agent-api').id,
        act: { sub: `clerk:${fleet.of('ledger').id}`, client_id: 'clerk:client_x' },
      },
      org_id: 'clerk:org_1',
      via: ['clerk:org:org_1', `clerk:${fleet.of('ledger').id}`],
      gen: [0, 0, now, 0, 0, now, now],
    })
  })

  it('makes nobody a user or a client of ours, whatever it calls itself', async () => {
    for (const sub of [fleet.userId, fleet.of('ledger').id, 'clerk:user_2abc', '__proto__']) {
      const claims = claimsOf(await fleet.exchanged('agent-api', foreign({ sub }), toBilling))
      expect(claims.sub).toBe(`clerk:${sub}`)
    }
  })

  it('stays a monitor’s', async () => {
    const token = await fleet.exchanged('agent-api', foreign({ synthetic: true }), toBilling)
    expect(claimsOf(token).synthetic).toBe(true)
    expect(claimsOf(await fleet.exchanged('agent-api', foreign(), toBilling))).not.toHaveProperty('synthetic')
  })

  const refused: [what: string, token: () => string, reason: string][] = [
    ['signed by another key', () => foreign({}, stranger.privateKey), 'bad_signature'],
    ['for another audience', () => foreign({ aud: 'elsewhere' }), 'wrong_audience'],
    ['expired', () => foreign({ iat: now - 200, exp: now - 1 }), 'expired'],
    ['bound to its sender', () => foreign({ cnf: { jkt: 'a'.repeat(43).replace(/.$/, 'A') } }), 'sender_bound'],
    ['of nobody declared', () => foreign({ iss: 'https://evil.example.com' }), 'unknown_issuer'],
    ['with a name too long for ours', () => foreign({ sub: 'x'.repeat(510) }), 'bad_claims'],
    ['whose own word names another actor', () => foreign({ may_act: { sub: 'clerk-admin' } }), 'may_act'],
    ['whose own word names nobody', () => foreign({ may_act: {} }), 'may_act'],
    ['four actors deep already', () => foreign({ act: nested(4) }), 'too_deep'],
  ]
  it.each(refused)('is refused %s', async (_what, token, reason) => {
    const answer = await fleet.exchange('agent-api', token(), toBilling)
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
    expect(reasonOf()).toEqual([reason])
  })

  it('may name the client that may act', async () => {
    const { id } = fleet.of('agent-api')
    const token = await fleet.exchanged('agent-api', foreign({ may_act: { sub: id, client_id: id } }), toBilling)
    expect(claimsOf(token).may_act).toEqual({ sub: id, client_id: id })
    // Who was not named does not become an actor one step later.
    const next = await fleet.exchange('billing-worker', token)
    expect([next.body.error, reasonOf()]).toEqual(['invalid_request', ['may_act']])
  })
})

function nested(depth: number): object {
  return { sub: `agent-${depth}`, ...(depth > 1 ? { act: nested(depth - 1) } : {}) }
}

describe('a declaration of a verifier is refused', () => {
  const verifier = { verify: async () => Promise.reject(new Error('not asked')) }
  const good: SubjectVerifier = {
    name: 'a',
    issuer: otherIssuer,
    verifier,
    audience: 'agent-api',
    scopes: ['jobs:run'],
  }
  it.each<[what: string, declared: readonly unknown[], says: RegExp]>([
    ['with a name that has a colon', [{ ...good, name: 'a:b' }], /name/],
    ['twice for one issuer', [good, { ...good, name: 'b' }], /twice/],
    ['twice by one name', [good, { ...good, issuer: 'https://b.example.com' }], /twice/],
    ['for an audience that is none', [{ ...good, audience: 'nowhere' }], /audience/],
    ['for a scope that is none', [{ ...good, scopes: ['x:y'] }], /x:y/],
    ['without scopes', [{ ...good, scopes: [] }], /scopes/],
    ['for what an account must name', [{ ...good, audience: 'support-console', scopes: ['sessions:read'] }], /by name/],
    ['without a verifier', [{ ...good, verifier: {} }], /Verifier/],
    ['with events that are no function', [{ ...good, events: 'https://login.example.com' }], /events/],
    ['for lives of more than a day', [{ ...good, longestLifeSeconds: 86_401 }], /longestLifeSeconds/],
  ])('%s', async (_what, declared, says) => {
    await expect(startFleet({ subjectVerifiers: declared as SubjectVerifier[] })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(says),
    })
  })

  it('for the issuer itself', async () => {
    const ours = [{ ...good, issuer: 'https://auth.example.com' }]
    const options = { issuerUrl: 'https://auth.example.com', subjectVerifiers: ours }
    await expect(startFleet(options)).rejects.toMatchObject({ message: expect.stringContaining('our own') })
  })
})

describe('an edge that must be recorded', () => {
  it.each(['impersonation', 'reason'])('is refused without an audit log: %s', async (what) => {
    const { createIssuer } = await import('../src/index.ts')
    const { memoryIssuerStores } = await import('../src/testing.ts')
    const edges = matrix.edges.filter((edge) => (what === 'reason' ? edge.reason : edge.as === 'impersonation'))
    const consumers = { consumers: matrix.consumers, edges }
    const { rings, url } = fleet.service
    expect(() => createIssuer({ issuer: url, rings, consumers, stores: memoryIssuerStores() })).toThrow(/^audit: /)
  })
})

describe('an exchange is refused', () => {
  type Fields = Record<string, string>
  const cases: [what: string, by: string, fields: Fields | (() => Fields), error: string, reason?: string][] = [
    ['of a refresh token', 'agent-api', typed('refresh_token'), 'invalid_request'],
    ['of an ID token', 'agent-api', typed('id_token'), 'invalid_request'],
    ['of a SAML assertion', 'agent-api', typed('saml2'), 'invalid_request'],
    ['for a refresh token', 'agent-api', requested('refresh_token'), 'invalid_request'],
    ['for an ID token', 'agent-api', requested('id_token'), 'invalid_request'],
    ['of nonsense', 'agent-api', { subject_token: 'nonsense' }, 'invalid_request', 'malformed'],
    [
      'of a token too long to look at',
      'agent-api',
      { subject_token: 'x'.repeat(8193) },
      'invalid_request',
      'malformed',
    ],
    ['by a client that the token was not sent to', 'billing-worker', {}, 'invalid_request', 'not_permitted'],
    ['to where no edge leads', 'agent-api', { audience: 'ledger' }, 'invalid_target', 'not_permitted'],
    ['to where another client may', 'agent-api', { audience: 'vault' }, 'invalid_target', 'not_permitted'],
    ['to nowhere', 'agent-api', { audience: 'nowhere' }, 'invalid_target'],
    ['to two services', 'agent-api', { ...toBilling, resource: 'https://elsewhere.example.com' }, 'invalid_target'],
    [
      'for a scope that the presented token has not',
      'agent-api',
      { scope: 'jobs:read' },
      'invalid_scope',
      'scope_grown',
    ],
    [
      'for a scope that the edge has not',
      'agent-api',
      { scope: 'jobs:run chat:write' },
      'invalid_scope',
      'scope_grown',
    ],
    ['for no scope of the grammar', 'agent-api', { scope: 'jobs:run  agents:read' }, 'invalid_scope'],
  ]
  it.each(cases)('%s', async (_what, by, fields, error, reason) => {
    const subject = await fleet.signIn()
    const answer = await fleet.exchange(by, subject, {
      ...toBilling,
      ...(typeof fields === 'function' ? fields() : fields),
    })
    expect([answer.status, answer.body.error]).toEqual([400, error])
    expect(reasonOf()).toEqual(reason === undefined ? [] : [reason])
    expect(answer.text).not.toContain(subject)
    expect(fleet.service.events).toContainEqual({ type: 'token_refused', grant: 'token_exchange', error })
  })

  it('without a subject token, or without its type', async () => {
    for (const fields of [{ subject_token: '' }, { subject_token_type: '' }]) {
      const answer = await fleet.exchange('agent-api', await fleet.signIn(), { ...toBilling, ...fields })
      expect(answer.body).toMatchObject({
        error: 'invalid_request',
        error_description: expect.stringContaining('subject_token_type'),
      })
    }
  })

  it('with nothing left, rather than giving a token for nothing', async () => {
    const subject = await fleet.signIn({ scope: 'chat:write' })
    const answer = await fleet.exchange('agent-api', subject, toBilling)
    expect([answer.body.error, reasonOf()]).toEqual(['invalid_scope', ['scope_empty']])
  })

  it('of a refresh token that calls itself an access token, of a forged one, of an expired one', async () => {
    const { service } = fleet
    const signedIn = await service.postJson('/auth/sign-in', {
      ...signInBody(),
      client_id: 'web',
      audience: 'agent-api',
    })
    const refreshed = await fleet.exchange('agent-api', signedIn.body.refresh_token, toBilling)
    const subject: string = signedIn.body.access_token
    const [header = '', payload = '', signature = ''] = subject.split('.')
    const richer = Buffer.from(JSON.stringify({ ...claimsOf(subject), sub: 'user_bob' })).toString('base64url')
    const forged = await fleet.exchange('agent-api', `${header}.${richer}.${signature}`, toBilling)
    const unsigned = await fleet.exchange('agent-api', `${header}.${payload}.`, toBilling)
    const kid = JSON.parse(Buffer.from(header, 'base64url').toString()).kid
    const stolenName = await fleet.exchange(
      'agent-api',
      jwt(stranger.privateKey, claimsOf(subject), { kid }),
      toBilling,
    )
    for (const { status, body } of [refreshed, forged, unsigned, stolenName]) {
      expect([status, body.error]).toEqual([400, 'invalid_request'])
    }
    expect(reasonOf()).toEqual(['malformed', 'bad_signature', 'malformed', 'bad_signature'])
  })

  it('at the very second at which the token ends', async () => {
    const own = await startFleet()
    try {
      const subject = await own.signIn()
      own.service.clock.pass(599)
      const last = await own.exchange('agent-api', subject, toBilling)
      expect(last.body.expires_in).toBe(1)
      own.service.clock.pass(1)
      expect((await own.exchange('agent-api', subject, toBilling)).body.error).toBe('invalid_request')
      expect(own.service.events).toContainEqual(expect.objectContaining({ reason: 'expired' }))
    } finally {
      await own.service.close()
    }
  })

  it('to a client without the grant, or without a secret', async () => {
    const { service } = fleet
    const subject = await fleet.signIn()
    const form = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: subject,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    }
    const plain = await service.client({ name: 'vault', audiences: ['agent-api'] })
    const without = await service.post('/oauth/token', { ...form, client_id: plain.id, client_secret: plain.secret })
    expect(without.body.error).toBe('unauthorized_client')
    const open = await service.post('/oauth/token', { ...form, client_id: 'web' })
    expect([open.status, open.body.error]).toEqual([401, 'invalid_client'])
    const wrong = await service.post('/oauth/token', {
      ...form,
      client_id: fleet.of('agent-api').id,
      client_secret: 'x',
    })
    expect([wrong.status, wrong.body.error]).toEqual([401, 'invalid_client'])
  })

  it('and withdrawn in the audit log, when the session ended meanwhile', async () => {
    const { service } = fleet
    const subject = await fleet.signIn()
    await service.issuer.sessions.revoke(String(claimsOf(subject).sid))
    const before = service.audits.length
    const answer = await fleet.exchange('agent-api', subject, toBilling)
    expect([answer.status, reasonOf()]).toEqual([400, ['session_ended']])
    const [allowed, denied] = service.audits.slice(before)
    expect(denied).toMatchObject({ action: 'token.exchange', outcome: 'denied', reason: 'session_ended' })
    expect(denied?.target).toEqual(allowed?.target)
    expect(await service.stores.issued.status(denied?.target.id ?? '')).toBeUndefined()
  })
})

function typed(name: string): Record<string, string> {
  return { subject_token_type: `urn:ietf:params:oauth:token-type:${name}` }
}

function requested(name: string): Record<string, string> {
  return { requested_token_type: `urn:ietf:params:oauth:token-type:${name}` }
}
