import { createGuard } from '@countersign/guard'
import { followRevocations } from '@countersign/revocation'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { accessTokenType, type Fleet, jwtType, startFleet } from './exchange-fixture.ts'
import { claimsOf, jsonOf, password } from './service.ts'

let fleet: Fleet
beforeEach(async () => {
  fleet = await startFleet()
})
afterEach(() => fleet.service.close())

const toBilling = { audience: 'billing-worker', scope: 'jobs:run' }
const toLedger = { audience: 'ledger' }

describe('delegation', () => {
  it('gives a token for the same subject that names who acts, for less and for no longer', async () => {
    const { service, userId, webId, of } = fleet
    const subject = await fleet.signIn()
    service.clock.pass(400)
    const answer = await fleet.exchange('agent-api', subject, toBilling)
    expect(answer.status).toBe(200)
    expect(answer.headers.get('cache-control')).toBe('no-store')
    expect(answer.body).toEqual({
      access_token: expect.any(String),
      issued_token_type: accessTokenType,
      token_type: 'Bearer',
      expires_in: 200,
      scope: 'jobs:run',
    })
    const parent = claimsOf(subject)
    expect(claimsOf(answer.body.access_token)).toEqual({
      iss: service.url,
      sub: userId,
      aud: 'billing-worker',
      client_id: of('agent-api').id,
      scope: 'jobs:run',
      iat: service.clock.now(),
      exp: parent.exp,
      jti: expect.any(String),
      sid: parent.sid,
      act: { sub: of('agent-api').id, client_id: of('agent-api').id },
      anc: [parent.jti],
      via: [webId],
      gen: [0, 0, 0, 0, 0],
    })
    expect(await service.issuer.introspectToken(answer.body.access_token)).toMatchObject({
      active: true,
      act: claimsOf(answer.body.access_token).act,
    })
    expect(service.audits.at(-1)).toEqual({
      action: 'token.exchange',
      outcome: 'allowed',
      actor: { type: 'client', id: of('agent-api').id },
      target: { type: 'token', id: claimsOf(answer.body.access_token).jti },
      details: expect.objectContaining({
        as: 'delegation',
        from: 'agent-api',
        audience: 'billing-worker',
        subject: userId,
        presented: parent.jti,
        session: parent.sid,
        scope: 'jobs:run',
      }),
    })
    expect(service.events).toContainEqual(expect.objectContaining({ type: 'token_issued', grant: 'token_exchange' }))
  })

  it('nests who acted before, nearest first, four deep and no deeper', async () => {
    let token = await fleet.signIn()
    const jtis = [claimsOf(token).jti]
    const hops = ['agent-api', 'billing-worker', 'ledger', 'billing-worker']
    for (const name of hops) {
      token = await fleet.exchanged(name, token, { audience: name === 'billing-worker' ? 'ledger' : 'billing-worker' })
      jtis.unshift(claimsOf(token).jti)
    }
    const ids = [...hops].reverse().map((name) => fleet.of(name).id)
    const nested = ids.reduceRight<object | undefined>(
      (act, id) => ({ sub: id, client_id: id, ...(act === undefined ? {} : { act }) }),
      undefined,
    )
    expect(claimsOf(token)).toMatchObject({ act: nested, anc: jtis.slice(1), gen: [0, 0, 0, 0, 0, 0, 0, 0] })
    const fifth = await fleet.exchange('ledger', token, { audience: 'billing-worker' })
    expect([fifth.status, fifth.body.error]).toEqual([400, 'invalid_request'])
    expect(fleet.service.events).toContainEqual({
      type: 'exchange_refused',
      reason: 'too_deep',
      clientId: fleet.of('ledger').id,
      from: 'ledger',
    })
  })

  it('gives all that may be had when nothing is asked for, and finds the only audience', async () => {
    const subject = await fleet.signIn({ scope: 'agents:read chat:write' })
    const first = await fleet.exchanged('agent-api', subject, { audience: 'billing-worker' })
    expect(claimsOf(first).scope).toBe('agents:read')
    expect(claimsOf(await fleet.exchanged('billing-worker', first)).aud).toBe('ledger')
    const several = await fleet.exchange('agent-api', subject)
    expect([several.status, several.body.error]).toEqual([400, 'invalid_target'])
  })

  it('takes the resource URL, and JWT as the name of a type', async () => {
    const subject = await fleet.signIn()
    const answer = await fleet.exchange('agent-api', subject, {
      resource: 'https://billing.example.com',
      subject_token_type: jwtType,
      requested_token_type: jwtType,
    })
    expect(answer.body).toMatchObject({ issued_token_type: jwtType, token_type: 'Bearer' })
    expect(claimsOf(answer.body.access_token).aud).toBe('billing-worker')
  })

  it('takes a token that a service obtained for itself', async () => {
    const own = await fleet.tokenOf('agent-api', 'agent-api')
    const { id } = fleet.of('agent-api')
    const claims = claimsOf(await fleet.exchanged('agent-api', own, toBilling))
    expect(claims).toMatchObject({
      sub: id,
      client_id: id,
      act: { sub: id },
      sid: claimsOf(own).sid,
      gen: [0, 0, 0, 0],
    })
    expect(claims).not.toHaveProperty('via')
  })

  it('keeps a monitor a monitor', async () => {
    const { service } = fleet
    const user = { identifier: 'probe@example.com', password, synthetic: true }
    await service.issuer.users.add(user)
    const subject = await fleet.signIn({ identifier: user.identifier })
    expect(claimsOf(subject).synthetic).toBe(true)
    expect(claimsOf(await fleet.exchanged('agent-api', subject, toBilling)).synthetic).toBe(true)
    expect(claimsOf(await fleet.signIn())).not.toHaveProperty('synthetic')
  })
})

describe('impersonation', () => {
  it('is what the edge says, is audited, and keeps whom it came through', async () => {
    const subject = await fleet.signIn()
    const token = await fleet.exchanged('agent-api', subject, { audience: 'archive' })
    const claims = claimsOf(token)
    expect(claims).toMatchObject({ sub: fleet.userId, client_id: fleet.of('agent-api').id, via: [fleet.webId] })
    expect(claims).not.toHaveProperty('act')
    expect(fleet.service.audits.at(-1)).toMatchObject({ action: 'token.exchange', details: { as: 'impersonation' } })
    const next = claimsOf(await fleet.exchanged('archive', token))
    expect(next).toMatchObject({
      act: { sub: fleet.of('archive').id },
      via: [fleet.webId, fleet.of('agent-api').id],
      anc: [claims.jti, claimsOf(subject).jti],
      gen: [0, 0, 0, 0, 0, 0],
    })
  })

  it('is not made when it cannot be recorded', async () => {
    const subject = await fleet.signIn()
    fleet.service.failAudit(new Error('full'))
    const answer = await fleet.exchange('agent-api', subject, { audience: 'archive' })
    expect([answer.status, answer.body.error]).toEqual([503, 'temporarily_unavailable'])
  })
})

describe('a reason', () => {
  const act = { audience: 'agent-api' }

  it('is required where the edge says so, and goes to the audit log', async () => {
    const help = await fleet.exchanged('agent-api', await fleet.signIn(), { audience: 'support-console' })
    const without = await fleet.exchange('support-console', help, act)
    expect(without.body).toMatchObject({ error: 'invalid_request', error_description: 'This exchange needs a reason.' })
    const reason = 'ticket 4711: chat “does not load” 🔑'
    const answer = await fleet.exchange('support-console', help, { ...act, reason })
    expect(answer.status).toBe(200)
    expect(fleet.service.audits.at(-1)).toMatchObject({ action: 'token.exchange', reason })
    expect(answer.text).not.toContain('4711')
  })

  it.each([
    ['of 257 characters', 'x'.repeat(257)],
    ['of spaces', '   '],
    ['with a line break', 'ticket\n{"action":"forged"}'],
    ['that reads backwards', 'ticket \u202e4711'],
  ])('%s is refused', async (_what, reason) => {
    const answer = await fleet.exchange('agent-api', await fleet.signIn(), { ...toBilling, reason })
    expect(answer.body).toMatchObject({ error: 'invalid_request', error_description: expect.stringContaining('256') })
  })

  it('of 1 and of 256 characters is taken', async () => {
    const subject = await fleet.signIn()
    for (const reason of ['x', 'x'.repeat(256)]) {
      expect((await fleet.exchange('agent-api', subject, { ...toBilling, reason })).status).toBe(200)
    }
  })
})

describe('an actor', () => {
  async function prepare() {
    await fleet.service.issuer.users.add({ identifier: 'operator@example.com', password })
    const operator = await fleet.signIn({ identifier: 'operator@example.com', audience: 'support-console' })
    const help = await fleet.exchanged('agent-api', await fleet.signIn(), { audience: 'support-console' })
    const fields = { audience: 'agent-api', reason: 'ticket', actor_token: operator, actor_token_type: accessTokenType }
    return { operator, help, fields }
  }

  it('is named in the token and in the audit log, and its end is the token’s', async () => {
    const { operator, help, fields } = await prepare()
    const { service, of, webId } = fleet
    const token = await fleet.exchanged('support-console', help, fields)
    const { sub, sid, jti } = claimsOf(operator)
    expect(claimsOf(token)).toMatchObject({
      sub: fleet.userId,
      client_id: of('support-console').id,
      act: { sub, client_id: of('support-console').id, act: { sub: of('agent-api').id } },
      via: [webId, sub, sid, jti],
      gen: [0, 0, 0, 0, 0, 0, 0, 0, 0],
    })
    expect(service.audits.at(-1)).toMatchObject({ actor: { type: 'user', id: sub }, reason: 'ticket' })
    expect((await service.issuer.introspectToken(token)).active).toBe(true)
    await service.issuer.sessions.revoke(String(sid))
    expect((await service.issuer.introspectToken(token)).active).toBe(false)
    const again = await fleet.exchange('support-console', help, fields)
    expect(again.body).toMatchObject({ error: 'invalid_request', error_description: expect.stringContaining('actor') })
  })

  it('is refused without its type, of another type, of another audience, or already acted for', async () => {
    const { operator, help, fields } = await prepare()
    const elsewhere = await fleet.signIn()
    const cases: [fields: Record<string, string>, says: RegExp][] = [
      [{ audience: 'agent-api', reason: 'x', actor_token: operator }, /actor_token_type/],
      [{ audience: 'agent-api', reason: 'x', actor_token_type: accessTokenType }, /actor_token_type/],
      [{ ...fields, actor_token_type: 'urn:ietf:params:oauth:token-type:id_token' }, /actor_token_type/],
      [{ ...fields, actor_token: elsewhere }, /actor token cannot/],
      [{ ...fields, actor_token: help }, /actor token cannot/],
      [{ ...fields, actor_token: `${operator}x` }, /actor token cannot/],
    ]
    for (const [given, says] of cases) {
      const answer = await fleet.exchange('support-console', help, given)
      expect(answer.body).toMatchObject({ error: 'invalid_request', error_description: expect.stringMatching(says) })
    }
  })

  it('has no place where the token names nobody', async () => {
    const subject = await fleet.signIn()
    const own = await fleet.tokenOf('agent-api', 'agent-api')
    const fields = { audience: 'archive', actor_token: own, actor_token_type: accessTokenType }
    expect((await fleet.exchange('agent-api', subject, fields)).body.error).toBe('invalid_request')
  })
})

describe('whatever ends one of its parents', () => {
  type End = (chain: { subject: string; first: string; second: string }) => Promise<unknown>
  const ends: [what: string, end: End, firstLives: boolean][] = [
    ['the sign-in’s access token', ({ subject }) => fleet.service.issuer.revokeToken(subject), false],
    ['the exchanged token between', ({ first }) => fleet.service.issuer.revokeToken(first), false],
    ['the session', ({ subject }) => fleet.service.issuer.sessions.revoke(String(claimsOf(subject).sid)), false],
    ['the user', () => fleet.service.issuer.users.disable('ada@example.com'), false],
    ['the password', () => fleet.service.issuer.users.setPassword('ada@example.com', `${password}!`), false],
    ['the app that signed in', () => fleet.service.issuer.clients.disable('web'), false],
    ['the first service that exchanged', () => fleet.service.issuer.clients.disable('agent-api'), false],
    ['the second one', () => fleet.service.issuer.clients.disable('billing-worker'), true],
  ]
  it.each(ends)('%s: ends every descendant at a following guard', async (_what, end, firstLives) => {
    const { service } = fleet
    const subject = await fleet.signIn()
    const first = await fleet.exchanged('agent-api', subject, toBilling)
    const second = await fleet.exchanged('billing-worker', first, toLedger)
    const revocations = followRevocations(`${service.url}/revocations`, { consumer: 'ledger' })
    const guardOf = (audience: string) =>
      createGuard({ issuer: service.url, audience, jwksUrl: `${service.url}/.well-known/jwks.json`, revocations })
    const guards = { first: guardOf('billing-worker'), second: guardOf('ledger') }
    try {
      await revocations.whenReady()
      const decide = () => Promise.all([guards.first.admit({ token: first }), guards.second.admit({ token: second })])
      const [one, other] = await decide()
      if (!one?.admitted || !other?.admitted) throw new Error('a new token was refused')
      const ended = new Promise((resolve) => guards.second.watch(other.principal, resolve))
      await end({ subject, first, second })
      expect(await ended).toEqual({ reason: 'revoked' })
      expect(await decide()).toMatchObject([
        firstLives ? { admitted: true } : { admitted: false, code: 'revoked' },
        { admitted: false, code: 'revoked' },
      ])
      expect((await service.issuer.introspectToken(second)).active).toBe(false)
      expect((await service.issuer.introspectToken(first)).active).toBe(firstLives)
      const again = await fleet.exchange('ledger', second, { audience: 'billing-worker' })
      expect([again.status, again.body.error]).toEqual([400, 'invalid_request'])
    } finally {
      await Promise.all([guards.first.close(), guards.second.close(), revocations.close()])
    }
  })

  it.each<[how: string, audience: string]>([
    ['delegation', 'billing-worker'],
    ['impersonation', 'archive'],
  ])('gives nobody the session it comes of: %s', async (_how, audience) => {
    const subject = await fleet.signIn()
    const headers = { authorization: `Bearer ${await fleet.exchanged('agent-api', subject, { audience })}` }
    const status = (init: Record<string, string>) =>
      fetch(`${fleet.service.url}/auth/status`, { headers: init }).then(jsonOf)
    expect(await status(headers)).toEqual({ state: 'signed-out' })
    await fleet.service.postJson('/auth/sign-out', {}, headers)
    expect(await status({ authorization: `Bearer ${subject}` })).toMatchObject({ state: 'signed-in' })
  })

  it('leaves the parent of a revoked descendant alone', async () => {
    const subject = await fleet.signIn()
    const first = await fleet.exchanged('agent-api', subject, toBilling)
    const { id, secret } = fleet.of('agent-api')
    const revoke = { token: first, client_id: id, client_secret: secret }
    expect((await fleet.service.post('/oauth/revoke', revoke)).status).toBe(200)
    expect((await fleet.service.issuer.introspectToken(first)).active).toBe(false)
    expect((await fleet.service.issuer.introspectToken(subject)).active).toBe(true)
    expect((await fleet.exchange('agent-api', subject, toBilling)).status).toBe(200)
  })
})
