import { createClerkClient } from '@clerk/backend'
import { isRejection } from '@countersign/tokens'
import { testClock } from '@countersign-tooling/clock'
import { beforeAll, describe, expect, it } from 'vitest'
import { clerkVerifier } from '../src/server/index.ts'
import { type ClerkWorld, clerkWorld, verdict } from './clerk-world.ts'

let world: ClerkWorld
beforeAll(async () => {
  world = await clerkWorld()
})

const kinds = ['m2m', 'm2m_jwt', 'api_key'] as const
const forUs = { aud: 'agent-api', tier: 'gold' }

/** What a machine and its service call. */
function made() {
  const { clerk, client } = world
  const machine = clerk.machines.machine('worker')
  return { machine, client, clerk, options: { machineSecretKey: machine.secretKey, secondsUntilExpiration: 600 } }
}

function verifierOf(from: ClerkWorld, more: object = {}) {
  return from.verifier({ machines: { kinds, client: from.client, audience: 'agent-api', ...more } })
}

describe('against the stand-in, by the real client', () => {
  it('opaque M2M tokens are created, verified and revoked', async () => {
    const { client, machine, options } = made()
    const { id, token = '' } = await client.m2m.createToken({ ...options, claims: forUs })
    await expect(client.m2m.verify({ token })).resolves.toMatchObject({ id, subject: machine.id, revoked: false })
    await client.m2m.revokeToken({ m2mTokenId: id })
    await expect(client.m2m.verify({ token })).resolves.toMatchObject({ revoked: true })
  })

  it('M2M JWTs are verified without a call', async () => {
    const { clerk, options } = made()
    const client = createClerkClient({
      apiUrl: clerk.apiUrl,
      secretKey: clerk.secretKey,
      jwtKey: clerk.signingKey.pem,
      telemetry: { disabled: true },
    })
    const { token = '' } = await client.m2m.createToken({ ...options, tokenFormat: 'jwt' })
    const before = clerk.requests.length
    await expect(client.m2m.verify({ token })).resolves.toMatchObject({ expired: false })
    expect(clerk.requests.slice(before)).toEqual([])
  })

  it('API keys are created, verified and revoked', async () => {
    const { client, userId } = world
    const { id, secret = '' } = await client.apiKeys.create({ name: 'ci', subject: userId, scopes: ['runs:read'] })
    await expect(client.apiKeys.verify(secret)).resolves.toMatchObject({ id, subject: userId, scopes: ['runs:read'] })
    await client.apiKeys.revoke({ apiKeyId: id })
    await expect(client.apiKeys.verify(secret)).resolves.toMatchObject({ revoked: true })
    await expect(client.apiKeys.verify('ak_unknown')).rejects.toMatchObject({ status: 404 })
  })
})

describe('a verifier that was not asked to', () => {
  it('takes no token of a machine', async () => {
    const { clerk, client, options } = made()
    const jwt = await client.m2m.createToken({ ...options, tokenFormat: 'jwt', claims: forUs })
    const opaque = await client.m2m.createToken({ ...options, claims: forUs })
    const before = clerk.requests.length
    const verifier = world.verifier({ keys: clerk.jwks })
    expect(await verdict(verifier, jwt.token ?? '')).toBe('bad_claims')
    expect(await verdict(verifier, opaque.token ?? '')).toBe('malformed')
    expect(clerk.requests.length).toBe(before)
  })

  it('takes no JWT of a machine for a session, though its audience is right and its class untold', async () => {
    const { clerk, sessionId } = world
    const claims = { sub: 'mch_1', aud: 'agent-api', sid: undefined, azp: undefined, sts: undefined, fva: undefined }
    const token = clerk.token(sessionId, { organization: false, claims })
    const verifier = world.verifier({ keys: clerk.jwks, audience: 'agent-api', authorizedParties: undefined as never })
    expect(await verdict(verifier, token)).toBe('wrong_type')
  })

  it.each([
    ['opaque tokens without a client', { machines: { kinds: ['api_key'] } }],
    ['M2M tokens without an audience', { machines: { kinds: ['m2m_jwt'] } }],
    ['no kind', { machines: { kinds: [] } }],
    ['a long memory', { machines: { kinds: ['m2m_jwt'], audience: 'a', rememberSeconds: 3_600 } }],
  ])('is not made for %s', (_what, options) => {
    expect(() => world.verifier(options as never)).toThrow(expect.objectContaining({ code: 'bad_option' }))
  })
})

describe('M2M JWTs', () => {
  it('speak for their machine, in the service that they name', async () => {
    const { machine, client, clerk, options } = made()
    const verifier = world.verifier({ keys: clerk.jwks, machines: { kinds: ['m2m_jwt'], audience: 'agent-api' } })
    const { token = '' } = await client.m2m.createToken({
      ...options,
      tokenFormat: 'jwt',
      claims: { ...forUs, scopes: 'runs:read runs:stop' },
    })
    const principal = await verifier.verify(token)
    expect(principal).toMatchObject({ subject: machine.id, clientId: machine.id, audience: 'agent-api' })
    expect([...principal.scopes]).toEqual(['runs:read', 'runs:stop'])
    expect(verifier.recall(token)).toBe(principal)
  })

  it.each([
    ['for another service', { aud: 'billing' }, {}, 'wrong_audience'],
    ['for any service', {}, {}, 'bad_claims'],
    ['with a session', { ...forUs, sid: 'sess_1' }, {}, 'wrong_type'],
    ['with scopes that are none', { ...forUs, scopes: ['a'] }, {}, 'bad_claims'],
    ['that lives for years', forUs, { secondsUntilExpiration: 10 * 31_536_000 }, 'bad_claims'],
  ])('%s are refused', async (_why, claims, more, code) => {
    const { client, clerk, options } = made()
    const verifier = world.verifier({ keys: clerk.jwks, machines: { kinds: ['m2m_jwt'], audience: 'agent-api' } })
    const { token = '' } = await client.m2m.createToken({ ...options, tokenFormat: 'jwt', claims, ...more })
    expect(await verdict(verifier, token)).toBe(code)
  })

  it('cannot be made of a session, nor a session of them', async () => {
    const { clerk, sessionId } = world
    const verifier = world.verifier({ machines: { kinds: ['m2m_jwt'], audience: 'agent-api' } })
    const dressedUp = clerk.token(sessionId, {
      claims: {
        sub: 'mch_evil',
        aud: 'agent-api',
        sid: undefined,
        azp: undefined,
        sts: undefined,
        fva: undefined,
        v: undefined,
        o: undefined,
        fea: undefined,
      },
    })
    expect(await verdict(verifier, dressedUp)).toBe('wrong_type')
    const machineCategory = { cat: 'cl_B7d4PD333AAA' }
    expect(await verdict(verifier, clerk.token(sessionId, { header: machineCategory }))).toBe('wrong_type')
  })
})

describe('opaque tokens', () => {
  it('speak for their owner', async () => {
    const { client, userId, organizationId } = world
    const verifier = verifierOf(world)
    const user = await client.apiKeys.create({ name: 'ci', subject: userId, scopes: ['runs:read'] })
    const ofUser = await verifier.verify(user.secret ?? '')
    expect(ofUser).toMatchObject({ subject: userId, tokenId: user.id, audience: 'agent-api' })
    expect([...ofUser.scopes]).toEqual(['runs:read'])
    const org = await client.apiKeys.create({ name: 'ci', subject: organizationId })
    expect(await verifier.verify(org.secret ?? '')).toMatchObject({ organization: organizationId })
    const { machine, options } = made()
    const { token = '' } = await client.m2m.createToken({ ...options, claims: forUs })
    expect(await verifier.verify(token)).toMatchObject({ subject: machine.id, claims: { tier: 'gold' } })
  })

  it.each([
    ['of another service', { aud: 'billing' }],
    ['of no service', {}],
  ])('of a machine %s are refused', async (_why, claims) => {
    const { client, options } = made()
    const { token = '' } = await client.m2m.createToken({ ...options, claims })
    expect(await verdict(verifierOf(world), token)).toBe('wrong_audience')
  })

  it('cost one call to Clerk in 10 s, however many ask, and die within that of their revocation', async () => {
    const clock = testClock()
    const own = await clerkWorld({ clock })
    const { clerk, client, userId } = own
    const verifier = verifierOf(own)
    const { id, secret = '' } = await client.apiKeys.create({ name: 'ci', subject: userId })
    const before = clerk.requests.length
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => verdict(verifier, secret)))
    expect(new Set(verdicts)).toEqual(new Set(['accepted']))
    await client.apiKeys.revoke({ apiKeyId: id })
    expect(await verdict(verifier, secret)).toBe('accepted')
    expect(clerk.requests.slice(before)).toEqual(['POST /api_keys/verify', `POST /api_keys/${id}/revoke`])
    await clock.pass(10)
    expect(await verdict(verifier, secret)).toBe('revoked')
    expect(await verdict(verifier, secret)).toBe('revoked')
    expect(clerk.requests.slice(before)).toHaveLength(3)
  })

  it('end with their own life', async () => {
    const clock = testClock()
    const own = await clerkWorld({ clock })
    const { client, userId } = own
    const { secret = '' } = await client.apiKeys.create({ name: 'ci', subject: userId, secondsUntilExpiration: 5 })
    const verifier = verifierOf(own)
    expect((await verifier.verify(secret)).expiresAt).toBe(clock.now() + 5)
    await clock.pass(5)
    expect(await verdict(verifier, secret)).toBe('expired')
  })

  const answer = {
    id: 'tok_1',
    subject: 'mch_1',
    scopes: [],
    claims: forUs,
    revoked: false,
    expired: false,
    expiration: null,
    createdAt: 1_700_000_000_000,
  }
  const answering = (said: object, rememberSeconds = 10) => {
    const clock = testClock()
    const verify = async () => said
    const client = { m2m: { verify }, apiKeys: { verify } } as never
    const machines = { kinds, client, audience: 'agent-api', rememberSeconds }
    const verifier = clerkVerifier({
      issuer: 'https://clerk.example.com',
      authorizedParties: ['https://a.example'],
      keys: world.clerk.jwks,
      machines,
      clock,
    })
    return { clock, verifier }
  }

  it.each([
    ['is good', {}, 'accepted'],
    ['was revoked', { revoked: true }, 'revoked'],
    ['has expired, as Clerk says', { expired: true }, 'expired'],
    ['has expired, as its time says', { expiration: 1_799_999_999_999 }, 'expired'],
    ['is of a user', { subject: 'user_1' }, 'wrong_type'],
    ['is of a session', { subject: 'sess_1' }, 'wrong_type'],
    ['is for another service', { claims: { aud: 'billing' } }, 'wrong_audience'],
    ['is for several', { claims: { aud: ['billing', 'agent-api'] } }, 'accepted'],
    ['has a scope of two', { scopes: ['a b'] }, 'bad_claims'],
    ['has a scope with a quotation mark', { scopes: ['a"'] }, 'bad_claims'],
    ['has no id', { id: undefined }, 'keys_unavailable'],
    ['says nothing of its revocation', { revoked: undefined }, 'keys_unavailable'],
  ])('of a machine of which Clerk says that it %s: %o is %s', async (_what, said, code) => {
    const { verifier } = answering({ ...answer, ...said })
    expect(await verdict(verifier, 'mt_any')).toBe(code)
  })

  it.each([
    ['user_1', 'accepted'],
    ['org_1', 'accepted'],
    ['mch_1', 'wrong_type'],
    ['', 'keys_unavailable'],
  ])('as API keys of %j are %s', async (subject, code) => {
    const { verifier } = answering({ ...answer, subject })
    expect(await verdict(verifier, 'ak_any')).toBe(code)
  })

  it.each([
    [10, 10],
    [0, 1],
  ])('whose answer holds for %i s speak for nobody after that', async (rememberSeconds, lifeSeconds) => {
    const { clock, verifier } = answering(answer, rememberSeconds)
    const principal = await verifier.verify('mt_any')
    expect(principal).toMatchObject({ expiresAt: clock.now() + lifeSeconds, issuedAt: 1_700_000_000 })
  })

  it('that were revoked are strangers from then on', async () => {
    const clock = testClock()
    const own = await clerkWorld({ clock })
    const { clerk, client, userId } = own
    const verifier = verifierOf(own)
    const { id, secret = '' } = await client.apiKeys.create({ name: 'ci', subject: userId })
    expect(await verdict(verifier, secret)).toBe('accepted')
    await client.apiKeys.revoke({ apiKeyId: id })
    await clock.pass(10)
    expect(await verdict(verifier, secret)).toBe('revoked')
    await clock.pass(10)
    clerk.setOutage({ slowMs: 50 })
    const flood = Array.from({ length: 12 }, (_, at) => verdict(verifier, `ak_slow${at}`))
    expect(await verdict(verifier, secret)).toBe('keys_unavailable')
    expect(new Set(await Promise.all(flood))).toEqual(new Set(['bad_signature']))
  })

  it('that Clerk does not know are asked about once', async () => {
    const own = await clerkWorld()
    const verifier = verifierOf(own)
    expect(await verdict(verifier, 'ak_unknown')).toBe('bad_signature')
    expect(await verdict(verifier, 'ak_unknown')).toBe('bad_signature')
    expect(own.clerk.requests).toHaveLength(1)
    for (const token of ['ak_ä', `ak_${'a'.repeat(600)}`, 'ak_a.b', 'ak_a b']) {
      expect(await verdict(verifier, token)).toBe('malformed')
    }
    expect(own.clerk.requests).toHaveLength(1)
  })

  it('cannot be decided on while Clerk is down: no refusal, and nothing is remembered', async () => {
    const own = await clerkWorld()
    const { clerk, client, userId } = own
    const events: unknown[] = []
    const verifier = own.verifier({
      machines: { kinds, client, audience: 'agent-api' },
      onEvent: (event) => void events.push(event),
    })
    const { secret = '' } = await client.apiKeys.create({ name: 'ci', subject: userId })
    for (const outage of ['drop', 'unavailable'] as const) {
      clerk.setOutage(outage)
      expect(await verdict(verifier, secret)).toBe('keys_unavailable')
    }
    clerk.setOutage(undefined)
    clerk.failNext(429, 'too_many_requests', 1)
    expect(await verdict(verifier, secret)).toBe('keys_unavailable')
    expect(await verdict(verifier, secret)).toBe('accepted')
    expect(events).toContainEqual({ type: 'machine_token_asked', kind: 'api_key', outcome: 'failed' })
    expect(events.at(-1)).toEqual({ type: 'machine_token_asked', kind: 'api_key', outcome: 'good' })
  })

  it('are waited for 3 s', async () => {
    const clock = testClock()
    const own = await clerkWorld({ clock })
    own.clerk.setOutage({ slowMs: 60_000 })
    const asked = verdict(verifierOf(own), 'ak_slow')
    await expect.poll(() => clock.timers).toBeGreaterThan(0)
    clock.advance(3)
    expect(await asked).toBe('keys_unavailable')
  })

  it('with a secret key of our own that Clerk refuses are a fault, not a refusal', async () => {
    const { clerk } = world
    const client = createClerkClient({
      apiUrl: clerk.apiUrl,
      secretKey: 'sk_test_wrong',
      telemetry: { disabled: true },
    })
    const machines = { kinds: ['api_key'] as const, client }
    const verifier = clerkVerifier({ issuer: clerk.issuer, authorizedParties: ['https://a.example'], machines })
    const fault = await verifier.verify('ak_any').catch((error: unknown) => error)
    expect(isRejection(fault)).toBe(false)
    expect(fault).toMatchObject({ code: 'clerk_refused', status: 401, reason: 'clerk_key_invalid' })
    verifier.close()
  })

  it('whose scopes are not scopes are refused: joined, one would be two', async () => {
    const { client, userId } = world
    const { secret = '' } = await client.apiKeys.create({
      name: 'ci',
      subject: userId,
      scopes: ['runs:read runs:stop'],
    })
    expect(await verdict(verifierOf(world), secret)).toBe('bad_claims')
  })

  it('that were good are asked about, and remembered, through a flood of others', async () => {
    const clock = testClock()
    const own = await clerkWorld({ clock })
    const { clerk, client, userId } = own
    const verifier = verifierOf(own)
    const { secret = '' } = await client.apiKeys.create({ name: 'ci', subject: userId })
    expect(await verdict(verifier, secret)).toBe('accepted')
    const before = clerk.requests.length
    for (let round = 0; round < 40; round++) {
      await Promise.all(Array.from({ length: 10 }, (_, at) => verdict(verifier, `ak_${round}_${at}`)))
    }
    // 100 at once and 50 in a second, of which none has passed.
    expect(clerk.requests.length - before).toBe(99)
    expect(await verdict(verifier, secret)).toBe('accepted')
    expect(clerk.requests.length - before).toBe(99)
    await clock.pass(10)
    clerk.setOutage({ slowMs: 100 })
    const flood = Array.from({ length: 30 }, (_, at) => verdict(verifier, `ak_slow${at}`))
    const known = verdict(verifier, secret)
    expect(await known).toBe('accepted')
    expect((await Promise.all(flood)).filter((one) => one === 'keys_unavailable')).toHaveLength(18)
  })

  it('that were good are not asked about beyond 16 at once', async () => {
    const clock = testClock()
    const own = await clerkWorld({ clock })
    const { clerk, client, userId } = own
    const verifier = verifierOf(own)
    const made = Array.from({ length: 20 }, () => client.apiKeys.create({ name: 'ci', subject: userId }))
    const secrets = (await Promise.all(made)).map(({ secret = '' }) => secret)
    for (const secret of secrets) expect(await verdict(verifier, secret)).toBe('accepted')
    await clock.pass(10)
    clerk.setOutage({ slowMs: 50 })
    const verdicts = await Promise.all(secrets.map((secret) => verdict(verifier, secret)))
    expect(verdicts.filter((one) => one === 'keys_unavailable')).toHaveLength(4)
  })

  it('are not asked about beyond 16 at once, nor beyond 12 that were never good', async () => {
    const own = await clerkWorld()
    own.clerk.setOutage({ slowMs: 100 })
    const verifier = verifierOf(own)
    const verdicts = await Promise.all(Array.from({ length: 30 }, (_, at) => verdict(verifier, `ak_flood${at}`)))
    expect(verdicts.filter((one) => one === 'keys_unavailable')).toHaveLength(18)
    expect(own.clerk.requests).toHaveLength(12)
  })
})
