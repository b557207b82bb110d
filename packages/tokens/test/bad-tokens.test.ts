import { createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createVerifier, type RejectionCode, staticKeys, type TokenRejected, TokensError } from '../src/index.ts'
import { FakeClock } from './support/fake-clock.ts'
import { base64url, ed25519Key, es256Key, forge, goodClaims, NOW, tokenWith } from './support/issuer.ts'

const key = ed25519Key()
const other = ed25519Key('k2')
const elliptic = es256Key()
const stranger = ed25519Key('k1')
const header = { alg: 'EdDSA', typ: 'at+jwt', kid: 'k1' }
const verifier = createVerifier({
  issuer: goodClaims.iss,
  audience: goodClaims.aud,
  keys: staticKeys({ keys: [key.jwk, other.jwk, elliptic.jwk] }),
  clock: new FakeClock(),
})
const good = tokenWith({}, key)
const [goodHeader = '', goodPayload = '', goodSignature = ''] = good.split('.')
const spki = Buffer.from(key.privateKey.export({ format: 'der', type: 'pkcs8' }))
const claimsText = JSON.stringify(goodClaims)
const nested = (depth: number): unknown => (depth === 0 ? 1 : { a: nested(depth - 1) })
const act = (depth: number): unknown => ({ sub: `agent_${depth}`, ...(depth > 1 && { act: act(depth - 1) }) })
const hmac = (input: string, secret: string | Buffer): string =>
  `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`

/** The last character says two bits too few for a byte: another spelling of the same signature. */
const withSpareBits = (text: string): string => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return text.slice(0, -1) + alphabet[alphabet.indexOf(text.slice(-1)) + 1]
}

const cut = (token: string): string => {
  const [first, second, third = ''] = token.split('.')
  return [first, second, Buffer.from(third, 'base64url').subarray(0, 61).toString('base64url')].join('.')
}

const settings = [
  'maxTokenLength',
  'algorithms',
  'keys',
  'profile',
  'issuer',
  'audience',
  'clockToleranceSeconds',
  'maxLifeSeconds',
]

type Row = [row: string, why: string, token: unknown, code: RejectionCode, where: string]

const shape: Row[] = [
  ['7', 'is empty', '', 'malformed', 'token'],
  ['7', 'is no text', 42, 'malformed', 'token'],
  ['7', 'is an array with a token', [good], 'malformed', 'token'],
  ['7', 'has one segment', goodHeader, 'malformed', 'token'],
  ['7', 'has two segments', `${goodHeader}.${goodPayload}`, 'malformed', 'token'],
  ['7', 'has four segments', `${good}.`, 'malformed', 'token'],
  ['15', 'is a JWE', `${goodHeader}.a.b.c.d`, 'malformed', 'token'],
  ['7', 'has no signature', `${goodHeader}.${goodPayload}.`, 'malformed', 'token'],
  ['7', 'has an empty payload', `${goodHeader}..${goodSignature}`, 'malformed', 'token'],
  ['7', 'has an empty header', `.${goodPayload}.${goodSignature}`, 'malformed', 'token'],
  ['7', 'is in JSON serialisation', JSON.stringify({ payload: goodPayload }), 'malformed', 'token'],
  ['7', 'has padding', `${good}==`, 'malformed', 'signature'],
  ['7', 'has a newline behind it', `${good}\n`, 'malformed', 'signature'],
  ['7', 'has a space before it', ` ${good}`, 'malformed', 'header'],
  ['7', 'has a tab inside', `${goodHeader}.\t${goodPayload}.${goodSignature}`, 'malformed', 'claims'],
  ['7', 'has standard base64', `${goodHeader}.${goodPayload}.+/${goodSignature.slice(2)}`, 'malformed', 'signature'],
  [
    '7',
    'has other spare bits in the signature',
    `${goodHeader}.${goodPayload}.${withSpareBits(goodSignature)}`,
    'malformed',
    'signature',
  ],
  ['7', 'has a letter whose low byte is right', good.replace(/^e/, 'ť'), 'malformed', 'header'],
  [
    '7',
    'has a payload letter whose low byte is right',
    `${goodHeader}.ť${goodPayload.slice(1)}.${goodSignature}`,
    'malformed',
    'claims',
  ],
  ['14', 'is too long', `${goodHeader}.${'A'.repeat(8192)}.${goodSignature}`, 'malformed', 'token'],
  ['7', 'has a signature cut by one character', good.slice(0, -1), 'malformed', 'signature'],
  ['1', 'has a signature cut by three bytes', cut(good), 'bad_signature', 'signature'],
  ['1', 'has a longer signature', `${good.slice(0, -2)}AAAAAA`, 'bad_signature', 'signature'],
]

const headers: Row[] = [
  ['7', 'has a header that is no JSON', `${base64url('hello')}.${goodPayload}.${goodSignature}`, 'malformed', 'header'],
  ['7', 'has an array as header', forge([header], goodClaims, key), 'malformed', 'header'],
  ['7', 'has a header that is not UTF-8', `_w.${goodPayload}.${goodSignature}`, 'malformed', 'header'],
  ['7', 'has a byte order mark', forge(`\ufeff${JSON.stringify(header)}`, goodClaims, key), 'malformed', 'header'],
  [
    '2',
    'says alg twice',
    forge('{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"k1"}', goodClaims, key),
    'malformed',
    'header',
  ],
  [
    '2',
    'says kid twice, once escaped',
    forge('{"alg":"EdDSA","typ":"at+jwt","\\u006bid":"k2","kid":"k1"}', goodClaims, key),
    'malformed',
    'header',
  ],
  [
    '5',
    'has __proto__ in the header',
    forge('{"alg":"EdDSA","typ":"at+jwt","kid":"k1","__proto__":{}}', goodClaims, key),
    'malformed',
    'header',
  ],
  ['2', 'has no alg', forge({ typ: 'at+jwt', kid: 'k1' }, goodClaims, key), 'malformed', 'header.alg'],
  ['2', 'has an array as alg', forge({ ...header, alg: ['EdDSA'] }, goodClaims, key), 'malformed', 'header.alg'],
  [
    '2',
    'says none',
    `${base64url({ ...header, alg: 'none' })}.${goodPayload}.${goodSignature}`,
    'unsupported_alg',
    'header.alg',
  ],
  ['2', 'says nOnE', forge({ ...header, alg: 'nOnE' }, goodClaims, key), 'unsupported_alg', 'header.alg'],
  [
    '2',
    'says eddsa in lower case',
    forge({ ...header, alg: 'eddsa' }, goodClaims, key),
    'unsupported_alg',
    'header.alg',
  ],
  ['2', 'says ES256, which is not on the list', tokenWith({}, elliptic), 'unsupported_alg', 'header.alg'],
  [
    '3',
    'says EdDSA for an ES256 key',
    forge({ ...header, kid: 'es' }, goodClaims, key),
    'unsupported_alg',
    'header.alg',
  ],
  [
    '2',
    'is an HMAC with the public key',
    hmac(`${base64url({ ...header, alg: 'HS256' })}.${goodPayload}`, spki),
    'unsupported_alg',
    'header.alg',
  ],
  [
    '2',
    'is an HMAC that says EdDSA',
    hmac(`${goodHeader}.${goodPayload}`, JSON.stringify(key.jwk)),
    'bad_signature',
    'signature',
  ],
  ['4', 'brings its own jwk', forge({ ...header, jwk: stranger.jwk }, goodClaims, stranger), 'malformed', 'header.jwk'],
  ['4', 'brings a jku', forge({ ...header, jku: 'http://127.0.0.1:1/' }, goodClaims, key), 'malformed', 'header.jku'],
  ['4', 'brings an x5u', forge({ ...header, x5u: 'http://127.0.0.1:1/' }, goodClaims, key), 'malformed', 'header.x5u'],
  ['4', 'brings an x5c', forge({ ...header, x5c: ['MIIB'] }, goodClaims, key), 'malformed', 'header.x5c'],
  ['6', 'has crit', forge({ ...header, crit: ['exp'], exp: 1 }, goodClaims, key), 'malformed', 'header.crit'],
  ['6', 'has an empty crit', forge({ ...header, crit: [] }, goodClaims, key), 'malformed', 'header.crit'],
  ['6', 'has a crit that is no list', forge({ ...header, crit: null }, goodClaims, key), 'malformed', 'header.crit'],
  ['6', 'has b64: false', forge({ ...header, b64: false }, goodClaims, key), 'malformed', 'header.b64'],
  ['15', 'has zip', forge({ ...header, zip: 'DEF' }, goodClaims, key), 'malformed', 'header.zip'],
  ['5', 'has no kid', forge({ alg: 'EdDSA', typ: 'at+jwt' }, goodClaims, key), 'malformed', 'header.kid'],
  ['5', 'has an empty kid', forge({ ...header, kid: '' }, goodClaims, key), 'malformed', 'header.kid'],
  ['5', 'has a number as kid', forge({ ...header, kid: 1 }, goodClaims, key), 'malformed', 'header.kid'],
  ['5', 'has an array as kid', forge({ ...header, kid: ['k1'] }, goodClaims, key), 'malformed', 'header.kid'],
  [
    '5',
    'has a kid of 129 characters',
    forge({ ...header, kid: 'k'.repeat(129) }, goodClaims, key),
    'malformed',
    'header.kid',
  ],
  [
    '5',
    'names a key that does not exist',
    forge({ ...header, kid: 'k9' }, goodClaims, key),
    'unknown_key',
    'header.kid',
  ],
  ['5', 'names a path', forge({ ...header, kid: '../../dev/null' }, goodClaims, key), 'unknown_key', 'header.kid'],
  ['5', 'names a prototype', forge({ ...header, kid: '__proto__' }, goodClaims, key), 'unknown_key', 'header.kid'],
  ['5', 'names a constructor', forge({ ...header, kid: 'constructor' }, goodClaims, key), 'unknown_key', 'header.kid'],
  ['8', 'has a number as typ', forge({ ...header, typ: 1 }, goodClaims, key), 'malformed', 'header.typ'],
  ['14', 'has a long header', forge({ ...header, a: 'a'.repeat(1_536) }, goodClaims, key), 'malformed', 'header'],
  ['14', 'has a header nested too deeply', forge({ ...header, a: nested(8) }, goodClaims, key), 'malformed', 'header'],
  ['1', "is signed by a stranger under our key's id", tokenWith({}, stranger), 'bad_signature', 'signature'],
  ['1', 'is signed by our other key', tokenWith({}, other, { kid: 'k1' }), 'bad_signature', 'signature'],
  [
    '1',
    'is unsigned and has wrong claims too',
    `${goodHeader}.${base64url({ iss: 'x' })}.${goodSignature}`,
    'bad_signature',
    'signature',
  ],
  ['8', 'is an ID token', tokenWith({}, key, { typ: 'JWT' }), 'wrong_type', 'header.typ'],
  ['8', 'has no typ', forge({ alg: 'EdDSA', kid: 'k1' }, goodClaims, key), 'wrong_type', 'header.typ'],
  ['8', 'is a logout token', tokenWith({}, key, { typ: 'logout+jwt' }), 'wrong_type', 'header.typ'],
  ['8', 'is a refresh token', tokenWith({}, key, { typ: 'rt+jwt' }), 'wrong_type', 'header.typ'],
  ['8', 'is of a feed', tokenWith({}, key, { typ: 'rev-feed+jwt' }), 'wrong_type', 'header.typ'],
]

const payloads: Row[] = [
  ['12', 'has a payload that is no JSON', forge(header, 'hello', key), 'malformed', 'claims'],
  ['12', 'has an array as payload', forge(header, [goodClaims], key), 'malformed', 'claims'],
  ['12', 'has null as payload', forge(header, 'null', key), 'malformed', 'claims'],
  ['12', 'says sub twice', forge(header, claimsText.replace('{', '{"sub":"admin",'), key), 'malformed', 'claims'],
  [
    '12',
    'says a member of act twice',
    forge(header, claimsText.replace('{', '{"act":{"sub":"a","sub":"b"},'), key),
    'malformed',
    'claims',
  ],
  [
    '12',
    'hides the second sub behind a space',
    forge(header, claimsText.replace('{', '{"sub" : "admin:\\u003a",'), key),
    'malformed',
    'claims',
  ],
  [
    '5',
    'has __proto__',
    forge(header, claimsText.replace('{', '{"__proto__":{"scope":"admin"},'), key),
    'malformed',
    'claims',
  ],
  [
    '5',
    'has __proto__ further down',
    forge(header, claimsText.replace('{', '{"x":[{"__proto__":{}}],'), key),
    'malformed',
    'claims',
  ],
  ['14', 'is nested too deeply', tokenWith({ x: nested(8) }, key), 'malformed', 'claims'],
  ['14', 'has too many members', tokenWith({ x: Array.from({ length: 505 }, () => 1) }, key), 'malformed', 'claims'],
  ['9', 'is from another issuer', tokenWith({ iss: 'https://evil.example.com' }, key), 'wrong_issuer', 'claims.iss'],
  ['9', 'has a slash behind the issuer', tokenWith({ iss: `${goodClaims.iss}/` }, key), 'wrong_issuer', 'claims.iss'],
  [
    '9',
    'has the issuer in capitals',
    tokenWith({ iss: goodClaims.iss.toUpperCase() }, key),
    'wrong_issuer',
    'claims.iss',
  ],
  ['9', 'has an array as issuer', tokenWith({ iss: [goodClaims.iss] }, key), 'bad_claims', 'claims.iss'],
  ['9', 'has no issuer', tokenWith({ iss: undefined }, key), 'bad_claims', 'claims.iss'],
  ['10', 'is for another audience', tokenWith({ aud: 'billing-worker' }, key), 'wrong_audience', 'claims.aud'],
  [
    '10',
    'is for an audience that begins alike',
    tokenWith({ aud: 'agent-api-2' }, key),
    'wrong_audience',
    'claims.aud',
  ],
  ['10', 'has an array as audience', tokenWith({ aud: ['agent-api'] }, key), 'bad_claims', 'claims.aud'],
  ['10', 'has no audience', tokenWith({ aud: undefined }, key), 'bad_claims', 'claims.aud'],
  ['11', 'has no exp', tokenWith({ exp: undefined }, key), 'bad_claims', 'claims.exp'],
  ['11', 'has text as exp', tokenWith({ exp: `${NOW + 600}` }, key), 'bad_claims', 'claims.exp'],
  [
    '11',
    'has 1e400 as exp',
    forge(header, claimsText.replace(`${NOW + 600}`, '1e400'), key),
    'bad_claims',
    'claims.exp',
  ],
  ['11', 'has a fraction as exp', tokenWith({ exp: NOW + 0.5 }, key), 'bad_claims', 'claims.exp'],
  ['11', 'has a negative exp', tokenWith({ exp: -1 }, key), 'bad_claims', 'claims.exp'],
  ['11', 'has null as exp', tokenWith({ exp: null }, key), 'bad_claims', 'claims.exp'],
  ['11', 'has a list as exp', tokenWith({ exp: [NOW + 600] }, key), 'bad_claims', 'claims.exp'],
  [
    '11',
    'expired past the tolerance this very second',
    tokenWith({ exp: NOW - 5, iat: NOW - 60 }, key),
    'expired',
    'claims.exp',
  ],
  ['11', 'lives a second too long', tokenWith({ exp: NOW + 43_201 }, key), 'bad_claims', 'claims.exp'],
  ['11', 'expires when it is issued', tokenWith({ exp: NOW + 3, iat: NOW + 3 }, key), 'bad_claims', 'claims.exp'],
  ['11', 'has no iat', tokenWith({ iat: undefined }, key), 'bad_claims', 'claims.iat'],
  ['11', 'was issued six seconds ahead', tokenWith({ iat: NOW + 6 }, key), 'not_yet_valid', 'claims.iat'],
  ['11', 'has nbf six seconds ahead', tokenWith({ nbf: NOW + 6 }, key), 'not_yet_valid', 'claims.nbf'],
  ['11', 'has text as nbf', tokenWith({ nbf: 'now' }, key), 'bad_claims', 'claims.nbf'],
  ['12', 'has no sub', tokenWith({ sub: undefined }, key), 'bad_claims', 'claims.sub'],
  ['12', 'has an empty sub', tokenWith({ sub: '' }, key), 'bad_claims', 'claims.sub'],
  ['12', 'has an object as sub', tokenWith({ sub: { id: 1 } }, key), 'bad_claims', 'claims.sub'],
  ['12', 'has a sub of 513 characters', tokenWith({ sub: 's'.repeat(513) }, key), 'bad_claims', 'claims.sub'],
  ['12', 'has a newline in sub', tokenWith({ sub: 'a\nb' }, key), 'bad_claims', 'claims.sub'],
  [
    '12',
    'has half a surrogate pair in sub',
    forge(header, claimsText.replace('user_1', '\\ud800'), key),
    'bad_claims',
    'claims.sub',
  ],
  ['12', 'has no jti', tokenWith({ jti: undefined }, key), 'bad_claims', 'claims.jti'],
  ['12', 'has a number as jti', tokenWith({ jti: 1 }, key), 'bad_claims', 'claims.jti'],
  ['12', 'has no client_id', tokenWith({ client_id: undefined }, key), 'bad_claims', 'claims.client_id'],
  ['12', 'has an empty client_id', tokenWith({ client_id: '' }, key), 'bad_claims', 'claims.client_id'],
  ['12', 'has no scope', tokenWith({ scope: undefined }, key), 'bad_claims', 'claims.scope'],
  ['12', 'has a list as scope', tokenWith({ scope: ['a'] }, key), 'bad_claims', 'claims.scope'],
  ['12', 'has two spaces between scopes', tokenWith({ scope: 'a  b' }, key), 'bad_claims', 'claims.scope'],
  ['12', 'has a quotation mark in scope', tokenWith({ scope: 'a"b' }, key), 'bad_claims', 'claims.scope'],
  ['12', 'has a number as sid', tokenWith({ sid: 1 }, key), 'bad_claims', 'claims.sid'],
  ['12', 'has null as sid', tokenWith({ sid: null }, key), 'bad_claims', 'claims.sid'],
  ['12', 'has an empty org_id', tokenWith({ org_id: '' }, key), 'bad_claims', 'claims.org_id'],
  ['14', 'has five actors', tokenWith({ act: act(5) }, key), 'bad_claims', 'claims.act'],
  ['12', 'has an actor without sub', tokenWith({ act: { client_id: 'a' } }, key), 'bad_claims', 'claims.act'],
  ['12', 'has a list as actor', tokenWith({ act: [{ sub: 'a' }] }, key), 'bad_claims', 'claims.act'],
  ['12', 'has text as may_act', tokenWith({ may_act: 'anyone' }, key), 'bad_claims', 'claims.may_act'],
  ['14', 'has five ancestors', tokenWith({ anc: ['a', 'b', 'c', 'd', 'e'] }, key), 'bad_claims', 'claims.anc'],
  ['12', 'has numbers as ancestors', tokenWith({ anc: [1] }, key), 'bad_claims', 'claims.anc'],
  ['12', 'has a fraction as generation', tokenWith({ gen: [1, 2.5, 3] }, key), 'bad_claims', 'claims.gen'],
  ['14', 'has 16 generations', tokenWith({ gen: Array(16).fill(1) }, key), 'bad_claims', 'claims.gen'],
  ['14', 'rests on nine parties', tokenWith({ via: Array(9).fill('web') }, key), 'bad_claims', 'claims.via'],
  ['12', 'rests on a number', tokenWith({ via: [1] }, key), 'bad_claims', 'claims.via'],
  ['12', 'is synthetic in other words', tokenWith({ synthetic: 'yes' }, key), 'bad_claims', 'claims.synthetic'],
  ['12', 'says that it is not synthetic', tokenWith({ synthetic: false }, key), 'bad_claims', 'claims.synthetic'],
  [
    '12',
    'is bound to a certificate',
    tokenWith({ cnf: { 'x5t#S256': 'A'.repeat(43) } }, key),
    'bad_claims',
    'claims.cnf',
  ],
  [
    '12',
    'is bound to two things',
    tokenWith({ cnf: { jkt: 'A'.repeat(43), jwk: {} } }, key),
    'bad_claims',
    'claims.cnf',
  ],
  ['12', 'is bound to no thumbprint', tokenWith({ cnf: { jkt: 'short' } }, key), 'bad_claims', 'claims.cnf'],
]

describe.each([
  ['shape', shape],
  ['header', headers],
  ['payload', payloads],
])('a token with a bad %s', (_part, rows) => {
  it.each(rows)('(security row %s) is turned away when it %s', async (_row, _why, token, code, where) => {
    const refusal = await verifier.verify(token as string).then(
      () => undefined,
      (error: TokenRejected) => error,
    )
    expect(refusal).toMatchObject({ name: 'TokenRejected', code, where })
    expect(() => verifier.verifySync(token as string)).toThrow(expect.objectContaining({ code, where }))
    // Nothing of the token, and none of its values, in what people log.
    expect(`${refusal?.message} ${refusal?.remedy}`).not.toMatch(/evil|billing|dev\/null|eyJ/)
    expect(refusal?.message).toMatch(/^[A-Z].{15,}\.$/)
    expect([undefined, ...settings]).toContain(refusal?.setting)
  })
})

describe('a good token', () => {
  it.each([
    ['as it comes', good],
    ['with the name Ed25519 for the algorithm', tokenWith({}, key, { alg: 'Ed25519' })],
    ['with the media type in full', tokenWith({}, key, { typ: 'application/at+jwt' })],
    ['with the type in capitals', tokenWith({}, key, { typ: 'AT+JWT' })],
    ['with an unknown header member', tokenWith({}, key, { x5t: 'abc' })],
    ['with unknown claims', tokenWith({ roles: ['a'], deep: nested(6) }, key)],
    ['within the tolerance after exp', tokenWith({ exp: NOW - 4, iat: NOW - 60 }, key)],
    ['within the tolerance before iat and nbf', tokenWith({ iat: NOW + 5, nbf: NOW + 5 }, key)],
    ['with the longest life', tokenWith({ exp: NOW + 43_200 }, key)],
    ['with no scope granted', tokenWith({ scope: '' }, key)],
    ['with a subject beyond ASCII', tokenWith({ sub: 'användare 4711 🌲' }, key)],
    [
      'with escapes and white space in its JSON',
      forge(header, claimsText.replace('{"', '{ "x\\":\\\\":":",\n "'), key),
    ],
  ])('is accepted %s', async (_why, token) => {
    expect((await verifier.verify(token)).claims).toMatchObject({ jti: 'token_1' })
    expect(verifier.verifySync(token).claims).toMatchObject({ jti: 'token_1' })
  })

  it('becomes a principal with everything that it says', () => {
    const jkt = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'
    const claims = {
      ...goodClaims,
      nbf: NOW,
      sid: 'session_1',
      org_id: 'org_1',
      act: { sub: 'agent_1', client_id: 'agents', act: { sub: 'agent_2' } },
      anc: ['parent', 'grandparent'],
      gen: [1, 2, 3, 4, 5],
      cnf: { jkt },
    }
    expect(verifier.verifySync(forge(header, claims, key))).toEqual({
      issuer: claims.iss,
      subject: 'user_1',
      clientId: 'web',
      audience: 'agent-api',
      scopes: new Set(['agents:read', 'chat:write']),
      session: 'session_1',
      organization: 'org_1',
      actor: { subject: 'agent_1', clientId: 'agents', actor: { subject: 'agent_2' } },
      tokenId: 'token_1',
      ancestors: ['parent', 'grandparent'],
      generations: [1, 2, 3, 4, 5],
      keyId: 'k1',
      confirmationKey: jkt,
      issuedAt: NOW,
      expiresAt: NOW + 600,
      claims,
    })
  })

  it('gives a principal that nobody can change', () => {
    const principal = verifier.verifySync(tokenWith({ act: { sub: 'a' }, deep: { list: [1] } }, key))
    const deep = principal.claims.deep as { list: number[] }
    for (const frozen of [principal, principal.claims, deep, deep.list, principal.actor, principal.scopes]) {
      expect(Object.isFrozen(frozen)).toBe(true)
    }
    expect(() => (principal.scopes as Set<string>).add('admin')).toThrow(TypeError)
    expect(() => (principal.scopes as Set<string>).delete('chat:write')).toThrow(TypeError)
    expect(() => (principal.scopes as Set<string>).clear()).toThrow(TypeError)
    expect(principal.scopes).toEqual(new Set(['agents:read', 'chat:write']))
  })

  it('is not poisoned by a bad one before it (row 20)', async () => {
    const fresh = createVerifier({
      issuer: goodClaims.iss,
      audience: goodClaims.aud,
      keys: staticKeys({ keys: [key.jwk] }),
      clock: new FakeClock(),
    })
    const bad = [...shape, ...headers, ...payloads].map(([, , token]) => token as string)
    for (const token of bad) await fresh.verify(token).catch(() => undefined)
    expect(fresh.cache.entries).toBe(0)
    expect((await fresh.verify(good)).subject).toBe('user_1')
  })
})

describe('the allow-list', () => {
  const options = { issuer: goodClaims.iss, audience: goodClaims.aud, clock: new FakeClock() }

  it('lets in ES256 where the consumer asks for it, and nothing else then', () => {
    const keys = staticKeys({ keys: [key.jwk, elliptic.jwk] })
    const only = createVerifier({ ...options, keys, algorithms: ['ES256'] })
    expect(only.verifySync(tokenWith({}, elliptic)).keyId).toBe('es')
    expect(() => only.verifySync(good)).toThrow(expect.objectContaining({ code: 'unsupported_alg' }))
  })

  it('takes RS256 and PS256 for keys of that very algorithm only', () => {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'rsa', alg: 'RS256' }
    const verifierRsa = createVerifier({
      ...options,
      keys: staticKeys({ keys: [jwk] }),
      algorithms: ['RS256', 'PS256'],
    })
    const input = (alg: string): string => `${base64url({ ...header, alg, kid: 'rsa' })}.${goodPayload}`
    const token = (alg: string): string =>
      `${input(alg)}.${sign('sha256', Buffer.from(input(alg)), privateKey).toString('base64url')}`
    expect(verifierRsa.verifySync(token('RS256')).keyId).toBe('rsa')
    expect(() => verifierRsa.verifySync(token('PS256'))).toThrow(expect.objectContaining({ code: 'unsupported_alg' }))
  })

  it.each(['HS256', 'none', 'RS1', 'eddsa'])('cannot be made to hold %s', (algorithm) => {
    const keys = staticKeys({ keys: [key.jwk] })
    expect(() => createVerifier({ ...options, keys, algorithms: [algorithm as 'EdDSA'] })).toThrow(TokensError)
  })
})
