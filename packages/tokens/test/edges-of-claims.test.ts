import { describe, expect, it } from 'vitest'
import {
  createVerifier,
  isRejection,
  type Principal,
  type Profile,
  rfc9068,
  staticKeys,
  type VerifierOptions,
} from '../src/index.ts'
import { FakeClock } from './support/fake-clock.ts'
import { ed25519Key, forge, goodClaims, NOW, tokenWith } from './support/issuer.ts'

const key = ed25519Key()
const thumbprint = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs'
const header = { alg: 'EdDSA', typ: 'at+jwt', kid: 'k1' }

/** The principal, or why there is none: code, place and the setting that decided. */
function judge(token: string, options: Partial<VerifierOptions> = {}): Principal | (string | undefined)[] {
  const verifier = createVerifier({
    issuer: goodClaims.iss,
    audience: goodClaims.aud,
    keys: staticKeys({ keys: [key.jwk] }),
    clock: new FakeClock(),
    ...options,
  })
  try {
    return verifier.verifySync(token)
  } catch (error) {
    if (!isRejection(error)) throw error
    expect(error.message).toMatch(/^[A-Z].{15,}\.$/)
    return [error.code, error.where, error.setting].filter((each) => each !== undefined)
  }
}
const accepted = (token: string, options?: Partial<VerifierOptions>): unknown => {
  const judgement = judge(token, options)
  return Array.isArray(judgement) ? judgement : true
}
const actors = (count: number): unknown => ({ sub: `a${count}`, ...(count > 1 && { act: actors(count - 1) }) })

describe('claims at their bounds', () => {
  it.each<[string, Record<string, unknown>]>([
    ['a sub of 512 characters', { sub: 's'.repeat(512) }],
    ['a sub of one character', { sub: 's' }],
    ['a sub of one character beyond ASCII', { sub: 'å' }],
    ['nbf at the beginning of time', { nbf: 0 }],
    ['generations of nought', { gen: [0, 0, 0] }],
    ['15 generations', { gen: Array(15).fill(1) }],
    ['eight parties', { via: Array(8).fill('web') }],
    ['a monitor', { synthetic: true }],
    ['four actors', { act: actors(4) }],
    ['four ancestors', { anc: ['a', 'b', 'c', 'd'] }],
    ['no ancestors', { anc: [] }],
    ['may_act of nobody', { may_act: {} }],
    ['may_act of a client', { may_act: { client_id: 'agents' } }],
    ['may_act with other members', { may_act: { sub: 'a', x: 1 } }],
  ])('has %s', (_what, claims) => {
    expect(accepted(tokenWith(claims, key))).toBe(true)
  })

  it.each<[string, Record<string, unknown>, string]>([
    ['a control character behind ASCII', { sub: 'abc\u007f' }, 'sub'],
    ['a control character before ASCII', { sub: '\u0080abc' }, 'sub'],
    ['may_act that is a number', { may_act: 5 }, 'may_act'],
    ['may_act that is true', { may_act: true }, 'may_act'],
    ['may_act that is null', { may_act: null }, 'may_act'],
    ['may_act that is a list', { may_act: [] }, 'may_act'],
    ['may_act with a number as sub', { may_act: { sub: 1 } }, 'may_act'],
    ['may_act with a number as client', { may_act: { sub: 'a', client_id: 1 } }, 'may_act'],
    ['act that is null', { act: null }, 'act'],
    ['act that is a number', { act: 7 }, 'act'],
    ['an actor whose client is a number', { act: { sub: 'a', client_id: 1 } }, 'act'],
    ['an inner actor without sub', { act: { sub: 'a', act: {} } }, 'act'],
    ['anc that is an object', { anc: { length: 0 } }, 'anc'],
    ['gen that is an object', { gen: { length: 0 } }, 'gen'],
    ['gen that is a number', { gen: 1 }, 'gen'],
    ['a negative generation', { gen: [0, -1] }, 'gen'],
    ['text among the generations', { gen: [0, '1'] }, 'gen'],
    ['cnf that is null', { cnf: null }, 'cnf'],
    ['cnf that is text', { cnf: thumbprint }, 'cnf'],
    ['cnf that is a list', { cnf: [thumbprint] }, 'cnf'],
    ['cnf with a list of a thumbprint', { cnf: { jkt: [thumbprint] } }, 'cnf'],
    ['a thumbprint with something before it', { cnf: { jkt: `A${thumbprint}` } }, 'cnf'],
    ['a thumbprint with something behind it', { cnf: { jkt: `${thumbprint}A` } }, 'cnf'],
    ['a thumbprint with spare bits', { cnf: { jkt: `${thumbprint.slice(0, -1)}t` } }, 'cnf'],
    ['a thumbprint with a foreign letter', { cnf: { jkt: `+${thumbprint.slice(1)}` } }, 'cnf'],
  ])('does not have %s', (_what, claims, name) => {
    expect(judge(tokenWith(claims, key))).toEqual(['bad_claims', `claims.${name}`, 'profile'])
  })
})

describe('the header at its bounds', () => {
  it.each([
    ['a kid of 128 characters', { kid: 'k'.repeat(128) }, ['unknown_key', 'header.kid', 'keys']],
    ['a type with a prefix twice', { typ: 'application/application/at+jwt' }, ['wrong_type', 'header.typ', 'profile']],
    ['a type that only ends in the prefix', { typ: 'at+jwtapplication/' }, ['wrong_type', 'header.typ', 'profile']],
  ])('has %s', (_what, change, verdict) => {
    expect(judge(tokenWith({}, key, change))).toEqual(verdict)
  })

  const [first = '', second = '', third = ''] = tokenWith({}, key).split('.')
  it.each([
    ['a header of one character', `A.${second}.${third}`, ['malformed', 'header']],
    ['a payload of one character', `${first}.A.${third}`, ['malformed', 'claims']],
    ['a signature of one character', `${first}.${second}.A`, ['malformed', 'signature']],
    ['dots alone', '..', ['malformed', 'token']],
  ])('comes with %s', (_what, token, verdict) => {
    expect(judge(token)).toEqual(verdict)
  })

  it('says why a header is none: not canonical, or not strict', () => {
    const why = (token: string): unknown => {
      const verifier = createVerifier({
        issuer: goodClaims.iss,
        audience: goodClaims.aud,
        keys: staticKeys({ keys: [key.jwk] }),
      })
      try {
        return verifier.verifySync(token)
      } catch (error) {
        return (error as Error).message
      }
    }
    expect(why(`A.${second}.${third}`)).toContain('base64url')
    expect(why(forge('[]', goodClaims, key))).toContain('JSON')
    expect(why(forge({ ...header, crit: [] }, goodClaims, key))).toContain('"crit"')
    expect(why(forge({ ...header, kid: 1 }, goodClaims, key))).toContain('128')
  })

  it('may be exactly as long as allowed', () => {
    const token = tokenWith({ pad: 'x'.repeat(400) }, key)
    expect(accepted(token, { maxTokenLength: token.length })).toBe(true)
    expect(judge(token, { maxTokenLength: token.length - 1 })).toEqual(['malformed', 'token', 'maxTokenLength'])
  })
})

describe('a profile of its own', () => {
  const profile: Profile = {
    ...rfc9068,
    name: 'own',
    audience: 'aud-or-list',
    clientId: ['azp', 'client_id', ''],
    optional: ['jti', 'iat', 'scope'],
    organization: ['o', 'id'],
    required: { use: 'access' },
    refused: { state: 'pending' },
    forbidden: ['nonce'],
  }
  const { iss, sub, aud, exp } = goodClaims
  const least = { iss, sub, aud, exp, use: 'access' }
  const judgeOwn = (claims: unknown, options: Partial<VerifierOptions> = {}) =>
    judge(forge(header, claims, key), { profile, maxLifeSeconds: 3600, ...options })

  it('makes a principal of the least that there can be, without empty members', () => {
    expect(judgeOwn(least)).toStrictEqual({
      issuer: iss,
      subject: sub,
      audience: aud,
      scopes: new Set(),
      ancestors: [],
      generations: [],
      keyId: 'k1',
      expiresAt: exp,
      claims: least,
    })
  })

  it('makes one of the least that RFC 9068 allows, without empty members', () => {
    const principal = judge(tokenWith({ act: { sub: 'agent' } }, key)) as Principal
    expect(principal.actor).toStrictEqual({ subject: 'agent' })
    expect(Object.keys(principal).toSorted()).toEqual(
      [
        ...['issuer', 'subject', 'audience', 'scopes', 'ancestors', 'generations', 'keyId', 'expiresAt', 'claims'],
        ...['clientId', 'actor', 'tokenId', 'issuedAt'],
      ].toSorted(),
    )
  })

  it.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ['an audience in a list', { aud: ['x', aud] }, { audience: aud }],
    ['a list of 32', { aud: [...Array(31).keys()].map(String).concat(aud) }, { audience: aud }],
    ['the client in azp first', { azp: 'web', client_id: 'other' }, { clientId: 'web' }],
    ['the client in client_id', { client_id: 'other' }, { clientId: 'other' }],
    ['an organization further down', { o: { id: 'org_1' } }, { organization: 'org_1' }],
    ['another value of what may be refused', { state: 'done' }, {}],
    ['the longest life without iat', { exp: NOW + 3605 }, { expiresAt: NOW + 3605 }],
    ['nbf without iat', { nbf: NOW + 5 }, {}],
  ])('reads %s', (_what, change, part) => {
    expect(judgeOwn({ ...least, ...change })).toMatchObject(part)
  })

  it('has no organization where the path leads nowhere', () => {
    for (const o of [undefined, null, 1, 'org', {}, { x: 1 }]) {
      expect('organization' in judgeOwn({ ...least, o })).toBe(false)
    }
  })

  it.each<[string, Record<string, unknown>, string[]]>([
    ['an audience in a list of others', { aud: ['x'] }, ['wrong_audience', 'claims.aud', 'audience']],
    ['a list of 33', { aud: [...Array(32).keys()].map(String).concat(aud) }, ['bad_claims', 'claims.aud', 'profile']],
    ['a list with a number', { aud: [aud, 1] }, ['bad_claims', 'claims.aud', 'profile']],
    ['a number as audience', { aud: 1 }, ['bad_claims', 'claims.aud', 'profile']],
    ['an object as audience', { aud: { length: 1, 0: aud } }, ['bad_claims', 'claims.aud', 'profile']],
    ['no audience', { aud: undefined }, ['bad_claims', 'claims.aud', 'profile']],
    ['a number as azp', { azp: 1 }, ['bad_claims', 'claims.azp', 'profile']],
    ['a number as organization', { o: { id: 1 } }, ['bad_claims', 'claims.o.id', 'profile']],
    ['an empty organization', { o: { id: '' } }, ['bad_claims', 'claims.o.id', 'profile']],
    ['another use', { use: 'id' }, ['wrong_type', 'claims.use', 'profile']],
    ['no use', { use: undefined }, ['wrong_type', 'claims.use', 'profile']],
    ['what is refused', { state: 'pending' }, ['bad_claims', 'claims.state', 'profile']],
    ['what is forbidden', { nonce: null }, ['wrong_type', 'claims.nonce', 'profile']],
    ['a second too much life without iat', { exp: NOW + 3606 }, ['bad_claims', 'claims.exp', 'maxLifeSeconds']],
    ['nbf ahead, without iat', { nbf: NOW + 6 }, ['not_yet_valid', 'claims.nbf', 'clockToleranceSeconds']],
    ['nbf ahead of iat', { iat: NOW, nbf: NOW + 6 }, ['not_yet_valid', 'claims.nbf', 'clockToleranceSeconds']],
    ['iat ahead of nbf', { iat: NOW + 7, nbf: NOW + 6 }, ['not_yet_valid', 'claims.iat', 'clockToleranceSeconds']],
    ['iat and nbf ahead', { iat: NOW + 6, nbf: NOW + 6 }, ['not_yet_valid', 'claims.iat', 'clockToleranceSeconds']],
    ['iat ahead, without nbf', { iat: NOW + 6 }, ['not_yet_valid', 'claims.iat', 'clockToleranceSeconds']],
    ['an end without a beginning that is over', { exp: NOW - 5 }, ['expired', 'claims.exp', 'clockToleranceSeconds']],
  ])('refuses %s', (_what, change, verdict) => {
    expect(judgeOwn({ ...least, ...change })).toEqual(verdict)
  })

  it('must name the client where the profile says so', () => {
    const strict = { ...profile, clientId: ['azp', 'client_id'] } as const
    expect(judgeOwn(least, { profile: strict })).toEqual(['bad_claims', 'claims.azp', 'profile'])
  })

  it('may take the audience from azp, and only from there', () => {
    const azp = { ...profile, audience: 'azp', clientId: [''] } as const
    expect(judgeOwn({ ...least, aud: undefined, azp: aud }, { profile: azp })).toMatchObject({ audience: aud })
    expect(judgeOwn({ ...least, aud: ['x'], azp: aud }, { profile: azp })).not.toHaveProperty('clientId')
    expect(judgeOwn(least, { profile: azp })).toEqual(['bad_claims', 'claims.azp', 'profile'])
    expect(judgeOwn({ ...least, azp: 'x' }, { profile: azp })).toEqual(['wrong_audience', 'claims.azp', 'audience'])
    expect(judgeOwn({ ...least, aud: 1, azp: aud }, { profile: azp })).toEqual(['bad_claims', 'claims.aud', 'profile'])
  })
})
