import { describe, expect, it } from 'vitest'
import {
  type AccessTokenClaims,
  createVerifier,
  formatScope,
  parseScope,
  signAccessToken,
  signAccessTokenSync,
  staticKeys,
} from '../src/index.ts'
import { FakeClock } from './support/fake-clock.ts'
import { ed25519Key, es256Key, goodClaims, NOW } from './support/issuer.ts'

const key = ed25519Key()
const full: AccessTokenClaims = {
  ...goodClaims,
  nbf: NOW,
  sid: 's',
  org_id: 'o',
  act: { sub: 'a', client_id: 'c', act: { sub: 'b' } },
  may_act: { sub: 'm' },
  anc: ['x'],
  gen: [1, 2, 3],
  cnf: { jkt: 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs' },
}

describe('signing', () => {
  it('writes the header of RFC 9068 and exactly the claims', async () => {
    const token = await signAccessToken(full, key.signer)
    const [header = '', payload = ''] = token.split('.')
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({ alg: 'EdDSA', typ: 'at+jwt', kid: 'k1' })
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toEqual(full)
    expect(signAccessTokenSync(full, key.signer)).toBe(token)
  })

  it.each([
    ['Ed25519', ed25519Key('a')],
    ['ES256', es256Key('b')],
  ])('makes tokens that verify, with %s', async (_name, { signer, jwk }) => {
    const keys = staticKeys({ keys: [jwk] })
    const clock = new FakeClock()
    const verifier = createVerifier({
      issuer: full.iss,
      audience: full.aud,
      keys,
      clock,
      algorithms: ['EdDSA', 'ES256'],
    })
    expect((await verifier.verify(await signAccessToken(full, signer))).claims).toEqual(full)
    const { signSync: _, ...slow } = signer
    expect((await verifier.verify(await signAccessToken(full, slow))).claims).toEqual(full)
    const message = expect.stringMatching(/^The signer .{10,}\.$/)
    expect(() => signAccessTokenSync(full, slow)).toThrow(
      expect.objectContaining({ code: 'sync_unavailable', message }),
    )
  })

  const refused: [why: string, claims: Record<string, unknown>, where: string][] = [
    ['no issuer', { iss: undefined }, 'iss'],
    ['an empty subject', { sub: '' }, 'sub'],
    ['a subject that is no text', { sub: 7 }, 'sub'],
    ['two audiences', { aud: ['a', 'b'] }, 'aud'],
    ['an empty audience', { aud: '' }, 'aud'],
    ['a fraction in exp', { exp: NOW + 0.5 }, 'exp'],
    ['NaN in exp', { exp: Number.NaN }, 'exp'],
    ['exp before iat', { exp: NOW - 1 }, 'exp'],
    ['exp at iat', { exp: NOW, nbf: undefined }, 'exp'],
    ['no iat', { iat: undefined }, 'iat'],
    ['nbf after exp', { nbf: NOW + 600 }, 'nbf'],
    ['no jti', { jti: undefined }, 'jti'],
    ['no client', { client_id: undefined }, 'client_id'],
    ['no scope', { scope: undefined }, 'scope'],
    ['a wrong scope', { scope: 'a  b' }, 'scope'],
    ['a newline in sid', { sid: 'a\nb' }, 'sid'],
    ['a claim of its own', { email: 'ada@example.com' }, 'email'],
    ['__proto__', JSON.parse('{"__proto__":{"a":1}}'), '__proto__'],
    [
      'a fifth actor',
      { act: { sub: '1', act: { sub: '2', act: { sub: '3', act: { sub: '4', act: { sub: '5' } } } } } },
      'act',
    ],
    ['a strange member of an actor', { act: { sub: '1', act: { sub: '2', email: 'x' } } }, 'act.act.email'],
    ['a strange member of may_act', { may_act: { sub: '1', email: 'x' } }, 'may_act.email'],
    ['an actor of may_act', { may_act: { sub: '1', act: { sub: '2' } } }, 'may_act.act'],
    ['an actor that is null', { act: null }, 'act'],
    ['an inner actor that is null', { act: { sub: '1', act: null } }, 'act'],
    ['text as ancestors', { anc: 'token_0' }, 'anc'],
    ['an object as generations', { gen: { 0: 1 } }, 'gen'],
    ['five ancestors', { anc: ['1', '2', '3', '4', '5'] }, 'anc'],
    ['a negative generation', { gen: [-1] }, 'gen'],
    ['a strange confirmation', { cnf: { jwk: {} } }, 'cnf'],
  ]
  it.each(refused)('does not sign %s', (_why, change, where) => {
    const claims = Object.assign(Object.create(null), full, change)
    if (Object.hasOwn(change, '__proto__')) Object.defineProperty(claims, '__proto__', { value: {}, enumerable: true })
    expect(() => signAccessTokenSync(claims, key.signer)).toThrow(
      expect.objectContaining({
        code: 'claims_refused',
        message: expect.stringMatching(new RegExp(`^The claim "${where}" (is|has) .{8,}\\.$`)),
      }),
    )
  })

  it.each([undefined, null, 7, 'claims'])('does not sign %j', (claims) => {
    const message = 'The claims are not an object.'
    expect(() => signAccessTokenSync(claims as never, key.signer)).toThrow(
      expect.objectContaining({ code: 'claims_refused', message }),
    )
  })

  it.each([
    { act: { sub: 'agent' } },
    { may_act: { client_id: 'agents' } },
    { cnf: full.cnf },
    { anc: ['token_0'] },
    { gen: [0, 0, 1] },
    { nbf: NOW + 599 },
    { sid: 's' },
    { org_id: 'o' },
  ] as Partial<AccessTokenClaims>[])('signs %j beside what must be there', (more) => {
    const payload = signAccessTokenSync({ ...goodClaims, ...more }, key.signer).split('.')[1] ?? ''
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toEqual({ ...goodClaims, ...more })
  })

  it('does not wait where it need not', async () => {
    const signer = { ...key.signer, sign: () => Promise.reject(new Error('asked')) }
    expect(await signAccessToken(full, signer)).toBe(signAccessTokenSync(full, key.signer))
  })

  it('signs what it checked, whatever getters say the second time', () => {
    let reads = 0
    const sly = {
      ...goodClaims,
      get sub() {
        return reads++ === 0 ? 'user_1' : 'admin'
      },
      toJSON: undefined,
    }
    const { toJSON: _, ...claims } = Object.getOwnPropertyDescriptors(sly)
    const token = signAccessTokenSync(Object.defineProperties({}, claims) as AccessTokenClaims, key.signer)
    expect(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sub).toBe('user_1')
  })

  it.each([
    ['of no bytes', new Uint8Array()],
    ['of 63 bytes', new Uint8Array(63)],
    ['of 65 bytes', new Uint8Array(65)],
    ['that is text', 'x'.repeat(64) as never],
  ])('does not hand out a token with a signature %s', async (_what, signature) => {
    const signer = { kid: 'k', algorithm: 'EdDSA', sign: async () => signature } as const
    const failed = { code: 'signing_failed', message: expect.stringContaining('64 bytes') }
    await expect(signAccessToken(full, signer)).rejects.toMatchObject(failed)
    const atOnce = { ...signer, signSync: () => signature }
    expect(() => signAccessTokenSync(full, atOnce)).toThrow(expect.objectContaining(failed))
  })
})

describe('scopes', () => {
  it.each([
    ['', []],
    ['a', ['a']],
    ['a:b c:d', ['a:b', 'c:d']],
    ['a b a', ['a', 'b']],
    ['a'.repeat(4096), ['a'.repeat(4096)]],
    ['!#$%&()*+,-./:;<=>?@[]^_`{|}~', ['!#$%&()*+,-./:;<=>?@[]^_`{|}~']],
  ])('reads %j', (text, scopes) => {
    expect(parseScope(text)).toEqual(scopes)
    expect(parseScope(formatScope(scopes))).toEqual(scopes)
  })

  it.each([' ', ' a', 'a ', 'a  b', 'a\tb', 'a\nb', 'a"b', 'a\\b', 'å', '\u007f', 'a'.repeat(4097)])(
    'does not read %j',
    (text) => {
      const message = expect.stringMatching(/^A scope .{15,}\.$/)
      expect(() => parseScope(text)).toThrow(expect.objectContaining({ code: 'bad_option', message }))
    },
  )

  it.each([[['']], [['a b']], [['a"']], [['å']], [['a'.repeat(4097)]]])('does not write %j', (scopes) => {
    const message = expect.stringMatching(/^A scope .{15,}\.$/)
    expect(() => formatScope(scopes)).toThrow(expect.objectContaining({ code: 'bad_option', message }))
  })
})
