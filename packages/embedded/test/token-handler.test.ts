import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { decodeJwt, decodeProtectedHeader, jwtVerify, SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import type { AuthModuleEvent } from '../src/index.ts'
import { password, secretKey, signedIn, surroundings, testClock } from './fixture.ts'

const around = surroundings()
const text = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** As PyJWT writes it: keys of the header in order, no spaces. */
function pyJwt(claims: Readonly<Record<string, unknown>>, secret: string = secretKey): string {
  const input = `${text({ alg: 'HS256', typ: 'JWT' })}.${text(claims)}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

describe('a token', () => {
  it('is an Ed25519 access token for an hour, and says who, until when, since when and which scopes', async () => {
    const clock = testClock()
    const auth = await around.open({ clock })
    const ada = await auth.users.add('ada', password)
    const result = await signedIn(auth)
    expect(decodeProtectedHeader(result.token)).toMatchObject({ alg: 'EdDSA', typ: 'at+jwt' })
    expect(result.expiresAt).toBe(clock.now() + 3600)
    expect(await auth.validateToken(result.token)).toEqual({
      sub: ada.id,
      iat: clock.now(),
      exp: clock.now() + 3600,
      scopes: ['tools:read', 'tools:run'],
    })
  })

  it('lives as long as the configuration says, and not a second longer', async () => {
    const clock = testClock()
    const auth = await around.open({ clock, tokenExpirySeconds: 7200 })
    await auth.users.add('ada', password)
    const { token, expiresAt } = await signedIn(auth)
    expect(expiresAt).toBe(clock.now() + 7200)
    clock.advance(7200 + 5)
    expect(await auth.validateToken(token)).toBeNull()
  })

  it('may live longer than 12 hours where the configuration says so', async () => {
    const clock = testClock()
    const auth = await around.open({ clock, tokenExpirySeconds: 604_800 })
    await auth.users.add('ada', password)
    expect((await signedIn(auth)).expiresAt).toBe(clock.now() + 604_800)
  })

  it('of another module, altered, or of another form is none', async () => {
    const auth = await around.open()
    const other = await around.open({ dataDir: `${around.dataDir}-other` })
    for (const module of [auth, other]) await module.users.add('ada', password)
    const { token, refreshToken } = await signedIn(auth)
    const [header = '', payload = '', signature = ''] = token.split('.')
    const claims = decodeJwt(token)
    const raised = text({ ...claims, scope: 'tools:read tools:run admin' })
    const bad: [why: string, token: unknown][] = [
      ['is empty', ''],
      ['is no text', undefined],
      ['is an object', { token }],
      ['has two parts', 'a.b'],
      ['is of another module', (await signedIn(other)).token],
      ['has other claims', `${header}.${raised}.${signature}`],
      ['is not signed', `${text({ alg: 'none', typ: 'at+jwt' })}.${payload}.`],
      ['has another signature', `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`],
      ['is signed with a shared secret', pyJwt({ ...claims, scopes: ['tools:run'] })],
      ['is a refresh token', refreshToken],
      ['is far too long', 'a'.repeat(100_000)],
    ]
    for (const [why, value] of bad) expect(await auth.validateToken(value as string), why).toBeNull()
    expect(await auth.validateToken(token)).not.toBeNull()
  })
})

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.'

describe.each([
  ['EdDSA', {}],
  ['HS256', { algorithm: 'HS256', secretKey } as const],
])('a token of %s', (_algorithm, options) => {
  it('with any one character changed, added or left out is none', async () => {
    const auth = await around.open(options)
    await auth.users.add('ada', password)
    const { token } = await signedIn(auth)
    const change = fc.record({
      at: fc.nat(token.length - 1),
      character: fc.constantFrom(...alphabet),
      how: fc.constantFrom(0, 1),
    })
    const property = fc.asyncProperty(change, async ({ at, character, how }) => {
      for (const changed of [
        token.slice(0, at) + character + token.slice(at + how),
        token.slice(0, at) + token.slice(at + 1),
      ]) {
        if (changed !== token) expect(await auth.validateToken(changed)).toBeNull()
      }
    })
    await fc.assert(property, { numRuns: 300 })
    expect(await auth.validateToken(token)).not.toBeNull()
  })
})

describe('when revocations could not be read for too long', () => {
  it('nobody is let in, and nobody is told that a token is bad', async () => {
    const clock = testClock()
    const auth = await around.open({ clock })
    await auth.users.add('ada', password)
    const { token } = await signedIn(auth)
    const handler = auth.protect(() => new Response('reached'), { scope: 'tools:run' })
    const request = new Request('http://localhost/', { headers: { authorization: `Bearer ${token}` } })
    // Nothing is read between the leap and the questions.
    clock.advance(61)
    const asked = [auth.validateToken(token), handler(request)] as const
    await expect(asked[0]).rejects.toMatchObject({ name: 'AuthModuleError', code: 'unavailable' })
    expect((await asked[1]).status).toBe(503)
    await expect.poll(() => auth.validateToken(token).catch(() => null)).not.toBeNull()
  })
})

describe('a refresh token', () => {
  it('gives a new pair, once', async () => {
    const auth = await around.open()
    await auth.users.add('ada', password)
    const first = await signedIn(auth)
    const second = await auth.refreshToken(first.refreshToken ?? '')
    if (!second.success) throw new Error(second.error)
    expect(second.refreshToken).not.toBe(first.refreshToken)
    expect(await auth.validateToken(second.token)).toMatchObject({ scopes: ['tools:read', 'tools:run'] })
  })

  it('that comes again after its successor was used ends the session', async () => {
    const auth = await around.open()
    await auth.users.add('ada', password)
    const first = await signedIn(auth)
    const second = await auth.refreshToken(first.refreshToken ?? '')
    const third = await auth.refreshToken(second.refreshToken ?? '')
    if (!third.success) throw new Error(third.error)
    expect(await auth.refreshToken(first.refreshToken ?? '')).toMatchObject({ error: 'invalid_refresh_token' })
    expect(await auth.refreshToken(third.refreshToken ?? '')).toMatchObject({ error: 'invalid_refresh_token' })
    await expect.poll(() => auth.validateToken(third.token)).toBeNull()
  })

  it('of another form gives nothing', async () => {
    const auth = await around.open()
    const bad: [why: string, token: unknown][] = [
      ['is unknown', `cs_refresh_${'a'.repeat(43)}`],
      ['is an access token', 'a.b.c'],
      ['is empty', ''],
      ['is no text', undefined],
      ['is far too long', 'a'.repeat(100_000)],
    ]
    const nothing = { success: false, token: null, refreshToken: null, expiresAt: null, error: 'invalid_refresh_token' }
    for (const [why, token] of bad) expect(await auth.refreshToken(token as string), why).toEqual(nothing)
  })

  it('that was not used for as long as the limits say is over', async () => {
    const clock = testClock()
    const auth = await around.open({ clock, limits: { refreshIdleSeconds: 600 } })
    await auth.users.add('ada', password)
    const { refreshToken } = await signedIn(auth)
    clock.advance(601)
    expect(await auth.refreshToken(refreshToken ?? '')).toMatchObject({ error: 'invalid_refresh_token' })
  })
})

describe('compatibility: HS256', () => {
  const hs256 = { algorithm: 'HS256', secretKey } as const

  it('signs what others verify with the secret, in the shape of the old module', async () => {
    const events: AuthModuleEvent[] = []
    const auth = await around.open({ ...hs256, onEvent: (event) => events.push(event) })
    const ada = await auth.users.add('ada', password)
    const { token, expiresAt } = await signedIn(auth)
    const secret = new TextEncoder().encode(secretKey)
    const { payload, protectedHeader } = await jwtVerify(token, secret, { algorithms: ['HS256'] })
    expect(protectedHeader).toEqual({ alg: 'HS256', typ: 'JWT' })
    expect(payload).toMatchObject({ sub: ada.id, exp: expiresAt, scopes: ['tools:read', 'tools:run'] })
    // PyJWT refuses an audience that it was not told to expect.
    expect(payload).not.toHaveProperty('aud')
    expect(await auth.validateToken(token)).toMatchObject({ sub: ada.id, exp: expiresAt })
    expect(events.map(({ type }) => type)).toEqual(['kek_derived', 'compatibility'])
  })

  it('says the audience that it was given', async () => {
    const auth = await around.open({ ...hs256, audience: 'coder' })
    await auth.users.add('ada', password)
    expect(decodeJwt((await signedIn(auth)).token)).toMatchObject({ aud: 'coder' })
  })

  it('takes what the old module signed with the same secret', async () => {
    const clock = testClock()
    const auth = await around.open({ ...hs256, clock })
    const claims = { sub: 'ada', exp: clock.now() + 3600, iat: clock.now(), scopes: ['tools:read'] }
    expect(await auth.validateToken(pyJwt(claims))).toEqual(claims)
  })

  it('reads a token as Python writes it', async () => {
    // As jwt.encode({'sub': 'ada', 'exp': 1800003600, 'iat': 1800000000, 'scopes': ['tools:run']}, secret_key, 'HS256') of PyJWT does, made with Python's json and hmac.
    const token =
      'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJhZGEiLCJleHAiOjE4MDAwMDM2MDAsImlhdCI6MTgwMDAwMDAwMCwic2NvcGVzIjpbInRvb2xzOnJ1biJdfQ.TohN5ecoqZFatdFrBCVnIOjCVx6N0otYLFrWQz938HQ'
    const auth = await around.open({ ...hs256, clock: testClock() })
    expect(await auth.validateToken(token)).toMatchObject({ sub: 'ada', scopes: ['tools:run'] })
  })

  it('takes nothing else', async () => {
    const clock = testClock()
    const auth = await around.open({ ...hs256, clock })
    await auth.users.add('ada', password)
    const claims = { sub: 'ada', exp: clock.now() + 3600, iat: clock.now(), scopes: ['tools:read'] }
    const hs512 = new SignJWT(claims).setProtectedHeader({ alg: 'HS512' })
    const bad: [why: string, token: string][] = [
      ['is signed with another secret', pyJwt(claims, `${secretKey}!`)],
      ['is over', pyJwt({ ...claims, iat: clock.now() - 3700, exp: clock.now() - 100 })],
      ['lives too long', pyJwt({ ...claims, exp: clock.now() + 3601 })],
      ['is of another issuer', pyJwt({ ...claims, iss: 'https://elsewhere.example' })],
      ['has no subject', pyJwt({ ...claims, sub: undefined })],
      ['has scopes of another form', pyJwt({ ...claims, scopes: 'tools:read' })],
      ['is not signed', `${text({ alg: 'none' })}.${text(claims)}.`],
      ['is of another algorithm', await hs512.sign(new TextEncoder().encode(secretKey.repeat(2)))],
    ]
    for (const [why, token] of bad) expect(await auth.validateToken(token), why).toBeNull()
  })

  it('is reached by revocation all the same', async () => {
    const auth = await around.open(hs256)
    await auth.users.add('ada', password)
    const { token } = await signedIn(auth)
    expect(await auth.signOut(token)).toBe(true)
    expect(await auth.validateToken(token)).toBeNull()
  })
})
