import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { verifyToken } from '@clerk/backend'
import { isClerkAPIResponseError } from '@clerk/backend/errors'
import { verifyWebhook } from '@clerk/backend/webhooks'
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { clerkVerifier, clerkWebhooks, memoryWebhookLedger } from '../src/server/index.ts'
import { type ClerkWorld, clerkWorld, origin, verdict } from './clerk-world.ts'

/** What `@clerk/backend` does by itself, run against the stand-in, beside what `clerkVerifier` makes of it. */
let world: ClerkWorld
beforeAll(async () => {
  world = await clerkWorld()
})

afterEach(() => vi.useRealTimers())

const now = () => Math.floor(Date.now() / 1000)
const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

/** Clerk's own verdict, without a network. */
async function clerkSays(token: string, options: object = {}): Promise<'accepted' | 'refused'> {
  const { pem } = world.clerk.signingKey
  return verifyToken(token, { jwtKey: pem, authorizedParties: [origin], ...options }).then(
    () => 'accepted',
    () => 'refused',
  )
}

describe('a good token', () => {
  it('is accepted by both, without a request to Clerk', async () => {
    const { clerk, sessionId } = world
    const token = clerk.token(sessionId)
    const before = clerk.requests.length
    expect(await clerkSays(token)).toBe('accepted')
    const principal = await world.verifier({ keys: clerk.jwks }).verify(token)
    expect(principal).toMatchObject({
      issuer: clerk.issuer,
      subject: world.userId,
      session: sessionId,
      organization: world.organizationId,
      audience: origin,
      keyId: clerk.signingKey.kid,
    })
    expect(clerk.requests.slice(before)).toEqual([])
  })

  it('is accepted for 5 s past its end, by both', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const token = world.clerk.token(world.sessionId)
    const { exp } = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
    const verifier = world.verifier({ keys: world.clerk.jwks })
    vi.setSystemTime((exp + 4.9) * 1000)
    expect([await clerkSays(token), await verdict(verifier, token)]).toEqual(['accepted', 'accepted'])
    vi.setSystemTime((exp + 5) * 1000)
    expect([await clerkSays(token), await verdict(verifier, token)]).toEqual(['refused', 'expired'])
  })
})

describe('refused by both', () => {
  const tokens: [why: string, make: () => string, code: string][] = [
    ['expired', () => world.clerk.token(world.sessionId, { claims: { iat: now() - 120, exp: now() - 60 } }), 'expired'],
    ['not valid yet', () => world.clerk.token(world.sessionId, { claims: { nbf: now() + 30 } }), 'not_yet_valid'],
    [
      'made for another site',
      () => world.clerk.token(world.sessionId, { origin: 'https://evil.example' }),
      'wrong_audience',
    ],
    ['made for no site', () => world.clerk.token(world.sessionId, { origin: false }), 'bad_claims'],
    ['signed by another key', () => forged(world.clerk.token(world.sessionId)), 'bad_signature'],
    ['unsigned', () => resigned({ alg: 'none' }, () => ''), 'malformed'],
    [
      'keyed with the public PEM',
      () =>
        resigned({ alg: 'HS256' }, (text) =>
          createHmac('sha256', world.clerk.signingKey.pem).update(text).digest('base64url'),
        ),
      'unsupported_alg',
    ],
    ['signed with Ed25519', () => resigned({ alg: 'EdDSA' }, ed25519), 'unsupported_alg'],
    ['an M2M JWT', machineJwt, 'bad_claims'],
  ]

  it.each(tokens)('a token that is %s', async (_why, make, code) => {
    const token = make()
    expect(await clerkSays(token)).toBe('refused')
    expect(await verdict(world.verifier({ keys: world.clerk.jwks }), token)).toBe(code)
  })

  function forged(token: string): string {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const text = token.split('.').slice(0, 2).join('.')
    return `${text}.${sign('RSA-SHA256', Buffer.from(text), privateKey).toString('base64url')}`
  }
  function resigned(header: object, signText: (text: string) => string): string {
    const [head = '', payload = ''] = world.clerk.token(world.sessionId).split('.')
    const changed = { ...JSON.parse(Buffer.from(head, 'base64url').toString()), ...header }
    const text = `${encode(changed)}.${payload}`
    return `${text}.${signText(text)}`
  }
  function ed25519(text: string): string {
    return sign(null, Buffer.from(text), generateKeyPairSync('ed25519').privateKey).toString('base64url')
  }
  function machineJwt(): string {
    const { machines } = world.clerk
    return machines.createM2M(machines.machine('worker'), { token_format: 'jwt' }).token ?? ''
  }
})

it("a token that only Clerk's own verifier refuses is refused: it is asked as well", async () => {
  const token = world.clerk.token(world.sessionId, { header: { typ: 'application/JWT' } })
  expect(await clerkSays(token)).toBe('refused')
  const refusal = await world
    .verifier()
    .verify(token)
    .catch((error: unknown) => error)
  expect(refusal).toMatchObject({ code: 'bad_claims', message: expect.stringContaining("Clerk's own verifier") })
})

describe("Clerk's fail-opens, closed", () => {
  it('no `aud` while an audience is asked for: Clerk accepts, we refuse', async () => {
    const token = world.clerk.token(world.sessionId)
    expect(await clerkSays(token, { audience: 'agent-api' })).toBe('accepted')
    expect(await verdict(world.verifier({ audience: 'agent-api' }), token)).toBe('bad_claims')
  })

  it('a token of a JWT template in place of a session: Clerk accepts, we refuse, whether it tells its class or not', async () => {
    const { clerk, sessionId } = world
    const template = { name: 'mail', audience: 'mail' }
    const token = clerk.token(sessionId, { template })
    expect(await clerkSays(token)).toBe('accepted')
    expect(await verdict(world.verifier(), token)).toBe('wrong_type')
    for (const cat of [undefined, 'cl_I7d4PD111III']) {
      expect(await verdict(world.verifier(), clerk.token(sessionId, { template, header: { cat } }))).toBe('wrong_type')
      expect(await verdict(world.verifier(), clerk.token(sessionId, { header: { cat } }))).toBe('accepted')
    }
  })

  it('another `aud` is refused by both', async () => {
    const token = world.clerk.token(world.sessionId, { claims: { aud: 'billing' } })
    expect(await clerkSays(token, { audience: 'agent-api' })).toBe('refused')
    expect(await verdict(world.verifier({ audience: 'agent-api' }), token)).toBe('wrong_audience')
  })

  it('a foreign `iss`: Clerk accepts without its `issuer` option, we always compare', async () => {
    const token = world.clerk.token(world.sessionId, { claims: { iss: 'https://other.clerk.accounts.dev' } })
    expect(await clerkSays(token)).toBe('accepted')
    expect(await verdict(world.verifier(), token)).toBe('wrong_issuer')
  })

  it('a pending session: `verifyToken` accepts, `authenticateRequest` signs nobody in, we refuse', async () => {
    const token = world.clerk.token(world.sessionId, { claims: { sts: 'pending' } })
    expect(await clerkSays(token)).toBe('accepted')
    const request = new Request('https://app.example.com/', { headers: { authorization: `Bearer ${token}` } })
    const state = await world.client.authenticateRequest(request, { jwtKey: world.clerk.signingKey.pem })
    expect(state.isAuthenticated && state.toAuth().userId !== null).toBe(false)
    expect(await verdict(world.verifier(), token)).toBe('bad_claims')
    const unknown = world.clerk.token(world.sessionId, { claims: { sts: 'frozen' } })
    expect(await verdict(world.verifier(), unknown)).toBe('bad_claims')
  })

  it('20 unknown key ids: Clerk asks its API 20 times, we at most twice', async () => {
    const own = await clerkWorld()
    const { clerk, sessionId } = own
    const tokens = Array.from({ length: 20 }, (_, at) => clerk.token(sessionId, { header: { kid: `ins_flood${at}` } }))
    const options = { apiUrl: clerk.apiUrl, secretKey: clerk.secretKey, authorizedParties: [origin] }
    for (const token of tokens) await expect(verifyToken(token, options)).rejects.toThrow()
    expect(clerk.requests.filter((one) => one === 'GET /v1/jwks')).toHaveLength(20)

    const before = clerk.requests.length
    const verifier = own.verifier()
    for (const token of tokens) expect(await verdict(verifier, token)).toBe('unknown_key')
    expect(clerk.requests.slice(before)).toEqual(['GET /.well-known/jwks.json', 'GET /.well-known/jwks.json'])
    expect(await verdict(verifier, clerk.token(sessionId))).toBe('accepted')
  }, 20_000)
})

describe('organisations in a token', () => {
  it("reads a bit mask of permissions as Clerk's own `has` does", async () => {
    const token = world.clerk.token(world.sessionId, { claims: { pla: 'o:pro', fva: [3, -1] } })
    const request = new Request('https://app.example.com/', { headers: { authorization: `Bearer ${token}` } })
    const auth = (await world.client.authenticateRequest(request, { jwtKey: world.clerk.signingKey.pem })).toAuth()
    if (auth === null || !('has' in auth) || auth.tokenType !== 'session_token') throw new Error('not signed in')
    const verifier = world.verifier({ scopes: (claims) => claims.organization?.permissions ?? [] })
    const { scopes } = await verifier.verify(token)
    const asked = ['org:runs:read', 'org:runs:stop', 'org:billing:read', 'org:billing:stop', 'org:other:read'] as const
    for (const permission of asked)
      expect([permission, scopes.has(permission)]).toEqual([permission, auth.has({ permission })])
    expect([auth.has({ feature: 'o:runs' }), auth.has({ feature: 'o:none' }), auth.has({ plan: 'o:pro' })]).toEqual([
      true,
      false,
      true,
    ])
    expect(auth.has({ reverification: { level: 'first_factor', afterMinutes: 10 } })).toBe(true)
    expect(auth.has({ reverification: { level: 'first_factor', afterMinutes: 2 } })).toBe(false)
  })

  it('reads version 1 the same', async () => {
    const { clerk, sessionId, organizationId } = world
    const verifier = world.verifier({ scopes: (claims) => claims.organization?.permissions ?? [] })
    const [one, two] = await Promise.all(
      ([1, 2] as const).map((version) => verifier.verify(clerk.token(sessionId, { version }))),
    )
    expect(one?.organization).toBe(organizationId)
    expect([...(one?.scopes ?? [])].sort()).toEqual([...(two?.scopes ?? [])].sort())
  })
})

describe('the Backend API', () => {
  it('surfaces a 422 with its code and a 429 with its wait, and the SDK does not try again', async () => {
    const { clerk, client } = world
    const fault = await client.users.createUser({ emailAddress: ['ada@example.com'] }).catch((error: unknown) => error)
    expect(isClerkAPIResponseError(fault) && [fault.status, fault.errors[0]?.code]).toEqual([
      422,
      'form_identifier_exists',
    ])
    clerk.failNext(429, 'too_many_requests', 7)
    const before = clerk.requests.length
    const limited = await client.users
      .createUser({ emailAddress: ['bob@example.com'] })
      .catch((error: unknown) => error)
    expect(isClerkAPIResponseError(limited) && [limited.status, limited.retryAfter]).toEqual([429, 7])
    expect(clerk.requests.slice(before)).toEqual(['POST /v1/users'])
  })

  it('mints session tokens without `azp`, which `authorizedParties` refuses', async () => {
    const { client, sessionId } = world
    const { jwt } = await client.sessions.getToken(sessionId)
    expect(await clerkSays(jwt)).toBe('refused')
    expect(await verdict(world.verifier(), jwt)).toBe('bad_claims')
  })

  it('mints tokens of a template, which an audience accepts', async () => {
    const { client, clerk, sessionId } = world
    const { jwt } = await client.sessions.getToken(sessionId, 'convex')
    const { issuer } = clerk
    expect(await verdict(world.verifier(), clerk.token(sessionId, { header: { cat: 'cl_B7d4PD222AAA' } }))).toBe(
      'wrong_type',
    )
    expect(await verdict(clerkVerifier({ issuer, audience: 'convex', keys: clerk.jwks }), jwt)).toBe('accepted')
  })
})

describe('webhooks', () => {
  it('tampered and 10 min old are refused by both; replayed within 5 min Clerk accepts, and we handle it once', async () => {
    const { clerk } = world
    const { webhookSecret: signingSecret } = clerk
    const webhooks = clerkWebhooks({ signingSecrets: [signingSecret], ledger: memoryWebhookLedger() })
    const handled: string[] = []
    const receive = (request: Request) => webhooks.receive(request, ({ type }) => void handled.push(type))
    const event = { type: 'user.updated', data: { id: 'user_1' }, id: 'msg_1' } as const
    const make = (more = {}) => clerk.webhook('https://app.example.com/clerk', { ...event, ...more })

    const genuine = make()
    const tampered = new Request(genuine.url, {
      method: 'POST',
      headers: genuine.headers,
      body: '{"type":"user.deleted"}',
    })
    const old = make({ sentAt: now() - 600 })
    for (const bad of [tampered, old]) {
      await expect(verifyWebhook(bad.clone(), { signingSecret })).rejects.toThrow()
      await expect(receive(bad)).rejects.toMatchObject({ code: 'bad_webhook' })
    }
    await expect(verifyWebhook(make(), { signingSecret })).resolves.toMatchObject({ type: 'user.updated' })
    await expect(verifyWebhook(make(), { signingSecret })).resolves.toMatchObject({ type: 'user.updated' })
    expect((await receive(make())).standing).toBe('new')
    expect((await receive(make())).standing).toBe('repeated')
    expect(handled).toEqual(['user.updated'])
  })
})
