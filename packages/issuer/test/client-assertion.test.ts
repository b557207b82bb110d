import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Clients } from '../src/index.ts'
import { claimsOf, type Service, startService } from './service.ts'

const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const etl = generateKeyPairSync('ed25519')
const next = generateKeyPairSync('ed25519')
const jwkOf = (key: KeyObject): Record<string, unknown> => ({ ...key.export({ format: 'jwk' }) })

let service: Service
let id: string
let serial = 0
beforeAll(async () => {
  service = await startService()
  const { client } = await service.issuer.clients.add({
    name: 'etl',
    grants: ['client_credentials'],
    audiences: ['agent-api'],
    publicKey: jwkOf(etl.publicKey),
  })
  id = client.id
})
afterAll(() => service.close())
beforeEach(() => {
  // Failures of the test before are forgiven by then.
  service.clock.pass(2_000)
  service.events.splice(0)
})

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

function claims(more: object = {}): Record<string, unknown> {
  const now = service.clock.now()
  return { iss: id, sub: id, aud: service.url, exp: now + 60, iat: now, jti: `jti-${++serial}`, ...more }
}

function assertion(more: object = {}, header: object = {}, key = etl.privateKey): string {
  const input = `${encode({ alg: 'EdDSA', ...header })}.${encode(claims(more))}`
  return `${input}.${sign(null, Buffer.from(input), key).toString('base64url')}`
}

const ask = (client_assertion: string, more: Record<string, string> = {}) =>
  service.post('/oauth/token', {
    grant_type: 'client_credentials',
    client_assertion_type: jwtBearer,
    client_assertion,
    ...more,
  })

const failures = () =>
  service.events.flatMap((one) => (one.type === 'client_authentication_failed' ? [one.reason] : []))

describe('an assertion', () => {
  it('authenticates the client, by its id or its name, once', async () => {
    const first = assertion()
    const answer = await ask(first)
    expect(answer.status).toBe(200)
    expect(claimsOf(answer.body.access_token)).toMatchObject({ sub: id, client_id: id })
    expect((await ask(assertion({ iss: 'etl', sub: 'etl' }))).status).toBe(200)
    expect((await ask(first)).body.error).toBe('invalid_client')
    // The same under the client's other name is the same assertion.
    expect((await ask(assertion({ iss: 'etl', sub: 'etl', jti: claimsOf(first).jti }))).status).toBe(401)
    expect(failures()).toEqual(['assertion_replayed', 'assertion_replayed'])
  })

  it('is good once, of 20 at the same time', async () => {
    const one = assertion()
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(one)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })

  it('is taken at revocation and introspection too', async () => {
    const { body } = await ask(assertion())
    const form = () => ({ client_assertion_type: jwtBearer, client_assertion: assertion(), token: body.access_token })
    expect((await service.post('/oauth/introspect', form())).body.active).toBe(true)
    expect((await service.post('/oauth/revoke', form())).status).toBe(200)
    expect((await service.post('/oauth/introspect', form())).body).toEqual({ active: false })
  })

  it('may say what kind it is, name its key, and be signed under either name of the algorithm', async () => {
    const { kid } = (await service.issuer.clients.list({ limit: 1 }))[0]?.keys[0] ?? {}
    for (const header of [{ typ: 'JWT' }, { typ: 'client-authentication+jwt' }, { alg: 'Ed25519' }, { kid }]) {
      expect((await ask(assertion({}, header))).status).toBe(200)
    }
  })

  const now = () => service.clock.now()
  const hmac = (secret: string | Buffer) => {
    const input = `${encode({ alg: 'HS256' })}.${encode(claims())}`
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
  }
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const refused: [what: string, make: () => string, reason: string | undefined][] = [
    ['signed by another key', () => assertion({}, {}, next.privateKey), 'assertion_signature'],
    ['naming a key that the client has not', () => assertion({}, { kid: 'other' }), 'assertion_key'],
    ['without signature', () => `${encode({ alg: 'none' })}.${encode(claims())}.`, undefined],
    ['under another algorithm', () => assertion({}, { alg: 'ES256' }), undefined],
    ['with the public key as HMAC secret', () => hmac(String(jwkOf(etl.publicKey).x)), undefined],
    ['with its PEM as HMAC secret', () => hmac(etl.publicKey.export({ type: 'spki', format: 'pem' })), undefined],
    [
      'signed with RSA',
      () => {
        const input = `${encode({ alg: 'RS256' })}.${encode(claims())}`
        return `${input}.${sign('sha256', Buffer.from(input), rsa.privateKey).toString('base64url')}`
      },
      undefined,
    ],
    [
      'bringing a key of its own',
      () => assertion({}, { jwk: jwkOf(next.publicKey) }, next.privateKey),
      'assertion_signature',
    ],
    ['with something critical', () => assertion({}, { crit: ['b64'], b64: false }), undefined],
    ['that is an access token', () => assertion({}, { typ: 'at+jwt' }), undefined],
    ['of an unknown kind', () => assertion({}, { typ: 'logout+jwt' }), undefined],
    ['for the token endpoint’s URL', () => assertion({ aud: `${service.url}/oauth/token` }), 'assertion_audience'],
    ['for the issuer with a slash', () => assertion({ aud: `${service.url}/` }), 'assertion_audience'],
    ['for several', () => assertion({ aud: [service.url] }), undefined],
    ['for nobody', () => assertion({ aud: undefined }), undefined],
    ['from another issuer than it is about', () => assertion({ iss: 'etl' }), 'assertion_client'],
    ['without jti', () => assertion({ jti: undefined }), undefined],
    ['with an empty jti', () => assertion({ jti: '' }), undefined],
    ['with a jti of 257 characters', () => assertion({ jti: 'x'.repeat(257) }), undefined],
    ['without exp', () => assertion({ exp: undefined }), undefined],
    ['with exp as text', () => assertion({ exp: `${now() + 60}` }), undefined],
    ['expired', () => assertion({ iat: now() - 60, exp: now() - 5 }), 'assertion_times'],
    ['good for more than 5 minutes', () => assertion({ exp: now() + 306 }), 'assertion_times'],
    ['of the future', () => assertion({ iat: now() + 6 }), 'assertion_times'],
    ['not yet good', () => assertion({ nbf: now() + 6 }), 'assertion_times'],
    ['that ends before it begins', () => assertion({ iat: now() + 3, exp: now() + 2 }), 'assertion_times'],
    ['of three parts and a half', () => `${assertion()}.x`, undefined],
    ['in another spelling', () => `${assertion()}=`, undefined],
    ['longer than 8 KiB', () => assertion({ pad: 'x'.repeat(8_192) }), undefined],
    ['about nobody', () => assertion({ iss: 'nobody', sub: 'nobody' }), 'unknown_client'],
  ]
  it.each(refused)('is refused %s', async (_what, make, reason) => {
    const answer = await ask(make())
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client'])
    expect(answer.headers.get('www-authenticate')).toMatch(/^Basic /)
    expect(failures()).toEqual(reason === undefined ? [] : [reason])
  })

  it('is taken at the bounds of its times', async () => {
    for (const more of [
      { exp: now() + 305 },
      { iat: now() + 5 },
      { iat: now() - 60, exp: now() - 4 },
      { nbf: now() },
    ]) {
      expect((await ask(assertion(more))).status).toBe(200)
    }
  })

  it('is refused with a last character that means the same bytes', async () => {
    const good = assertion()
    const same = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const last = same.indexOf(good.at(-1) ?? '')
    expect((await ask(good.slice(0, -1) + same[last + 1])).status).toBe(401)
    expect((await ask(good)).status).toBe(200)
  })

  it('is the only way of a request, and says the same client id', async () => {
    const two = await ask(assertion(), { client_secret: 'x' })
    expect([two.status, two.body.error]).toEqual([400, 'invalid_request'])
    const ids = await ask(assertion(), { client_id: 'client_other' })
    expect([ids.status, ids.body.error]).toEqual([400, 'invalid_request'])
    const type = await ask(assertion(), {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer',
    })
    expect([type.status, type.body.error]).toEqual([401, 'invalid_client'])
    expect((await ask('', {})).status).toBe(401)
    expect((await ask(assertion(), { client_id: id })).status).toBe(200)
  })

  it('of a client with a secret only, and a secret of a client with a key only, are refused', async () => {
    const plain = await service.client({ name: 'plain' })
    expect((await ask(assertion({ iss: plain.id, sub: plain.id }))).status).toBe(401)
    expect(failures()).toEqual(['assertion_key'])
    const form = { grant_type: 'client_credentials', client_id: id, client_secret: '' }
    expect((await service.post('/oauth/token', form)).status).toBe(401)
    expect((await service.post('/oauth/token', { ...form, client_secret: 'x' })).status).toBe(401)
    expect((await service.post('/oauth/token', form)).status).toBe(401)
  })

  it('is forgotten once nobody would accept it', async () => {
    const used: string[] = []
    const forgotten: number[] = []
    const own = await startService()
    try {
      const { assertions } = own.stores
      const until = own.clock.now() + 100
      for (const one of ['a', 'b']) used.push(String(await assertions.use(one, until)))
      own.clock.pass(61)
      await new Promise((resolve) => setImmediate(resolve))
      forgotten.push(Number(await assertions.use('a', until)))
      own.clock.pass(61)
      await new Promise((resolve) => setImmediate(resolve))
      forgotten.push(Number(await assertions.use('a', until)))
    } finally {
      await own.close()
    }
    expect([used, forgotten]).toEqual([
      ['true', 'true'],
      [0, 1],
    ])
  })
})

describe('the keys of a client', () => {
  const add = (more: object) =>
    service.issuer.clients.add({
      name: `k${++serial}`,
      grants: ['client_credentials'],
      audiences: ['agent-api'],
      ...more,
    } as Parameters<Clients['add']>[0])

  const jwk = jwkOf(etl.publicKey)
  const bad: [what: string, publicKey: Record<string, unknown>][] = [
    ['a private key', jwkOf(etl.privateKey)],
    ['an RSA key', jwkOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey)],
    ['a P-256 key', jwkOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey)],
    ['an X25519 key', jwkOf(generateKeyPairSync('x25519').publicKey)],
    ['a symmetric key', { kty: 'oct', k: 'AAAA' }],
    ['no key', {}],
    ['a key of 31 bytes', { ...jwk, x: Buffer.alloc(31, 1).toString('base64url') }],
    ['a point of small order', { ...jwk, x: Buffer.alloc(32).toString('base64url') }],
    ['a key for encryption', { ...jwk, use: 'enc' }],
    ['a key of another algorithm', { ...jwk, alg: 'ES256' }],
    ['a key with a long name', { ...jwk, kid: 'x'.repeat(129) }],
  ]
  it.each(bad)('are not %s', async (_what, publicKey) => {
    await expect(add({ publicKey })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(/^publicKey: /),
    })
  })

  it('are none of a public client', async () => {
    await expect(add({ type: 'public', grants: ['sign_in'], publicKey: jwk })).rejects.toMatchObject({
      code: 'invalid_option',
    })
  })

  it('come without a secret', async () => {
    const { client, secret } = await add({ publicKey: { ...jwk, kid: 'mine' } })
    expect(secret).toBeNull()
    expect(client).toMatchObject({ secrets: [], keys: [{ kid: 'mine', expiresAt: null }] })
    expect(JSON.stringify(service.audits)).not.toContain(jwk.x)
  })

  it('are two while one replaces the other, and one afterwards', async () => {
    const { client } = await add({ publicKey: jwk })
    const by = (key: KeyObject) =>
      ask(assertion({ iss: client.id, sub: client.id }, {}, key)).then(({ status }) => status)
    const rotated = await service.issuer.clients.rotateKey(client.name, jwkOf(next.publicKey), { overlapSeconds: 60 })
    expect(rotated.previousExpiresAt).toBe(service.clock.now() + 60)
    expect([await by(etl.privateKey), await by(next.privateKey)]).toEqual([200, 200])
    service.clock.pass(60)
    expect([await by(etl.privateKey), await by(next.privateKey)]).toEqual([401, 200])
    expect(service.audits.at(-2)).toMatchObject({ action: 'token.issue' })
    const again = service.issuer.clients.rotateKey(client.name, jwkOf(next.publicKey))
    await expect(again).rejects.toMatchObject({ code: 'invalid_option' })
    await service.issuer.clients.rotateKey(client.name, jwk, { overlapSeconds: 0 })
    expect([await by(etl.privateKey), await by(next.privateKey)]).toEqual([200, 401])
    await service.issuer.clients.disable(client.name)
    expect([await by(etl.privateKey), failures().at(-1)]).toEqual([401, 'disabled'])
    await expect(service.issuer.clients.rotateKey(client.name, jwk)).rejects.toMatchObject({ code: 'already_disabled' })
  })

  it('and secrets replace each other, with the overlap', async () => {
    const { client, secret } = await add({})
    const byKey = () => ask(assertion({ iss: client.id, sub: client.id })).then(({ status }) => status)
    const bySecret = (client_secret: string) =>
      service
        .post('/oauth/token', { grant_type: 'client_credentials', client_id: client.id, client_secret })
        .then(({ status }) => status)
    await service.issuer.clients.rotateKey(client.name, jwk, { overlapSeconds: 60 })
    expect([await byKey(), await bySecret(secret ?? '')]).toEqual([200, 200])
    service.clock.pass(60)
    expect([await byKey(), await bySecret(secret ?? '')]).toEqual([200, 401])
    const back = await service.issuer.clients.rotateSecret(client.name, { overlapSeconds: 60 })
    expect([await byKey(), await bySecret(back.secret)]).toEqual([200, 200])
    service.clock.pass(60)
    expect([await byKey(), await bySecret(back.secret)]).toEqual([401, 200])
  })

  it('are none of nobody', async () => {
    await expect(service.issuer.clients.rotateKey('nobody', jwk)).rejects.toMatchObject({ code: 'unknown_client' })
    const open = await service.client({ name: 'open', type: 'public', grants: ['sign_in'] })
    await expect(service.issuer.clients.rotateKey(open.name, jwk)).rejects.toMatchObject({ code: 'invalid_option' })
  })
})

describe('a client is never taken for a user', () => {
  it('whatever either is called', async () => {
    const { issuer } = service
    const user = await issuer.users.add({ identifier: 'twin', password: 'correct horse battery staple' })
    const client = await service.client({ name: 'twin' })
    for (const name of [user.id, client.id, 'user_x', 'client_x', 'USER_x']) {
      await expect(service.client({ name })).rejects.toMatchObject({ code: 'invalid_name' })
    }
    const named = await issuer.users.add({ identifier: client.id, password: 'correct horse battery staple' })
    const ids = [user.id, client.id, named.id]
    expect(new Set(ids).size).toBe(3)
    const form = { grant_type: 'client_credentials', client_id: 'twin', client_secret: client.secret }
    const { body } = await service.post('/oauth/token', form)
    expect(claimsOf(body.access_token)).toMatchObject({ sub: client.id, client_id: client.id })
    // Ending the user of that name does not end the client's token, nor the other way round.
    await issuer.users.disable('twin')
    await issuer.users.disable(client.id)
    expect((await issuer.introspectToken(body.access_token)).active).toBe(true)
    await issuer.clients.disable('twin')
    expect((await issuer.introspectToken(body.access_token)).active).toBe(false)
  })
})
