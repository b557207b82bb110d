import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  auth0,
  betterAuth,
  clerk,
  createVerifier,
  isRejection,
  keycloak,
  oidcProvider,
  type Principal,
  type Profile,
  rfc9068,
  staticKeys,
} from '../src/index.ts'
import { FakeClock } from './support/fake-clock.ts'
import { base64url, ed25519Key, goodClaims, NOW } from './support/issuer.ts'

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwk = { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'r', alg: 'RS256', use: 'sig' }

/** The claims as the issuer's documentation shows them; no live tenant was asked. */
const samples: Record<
  'auth0' | 'keycloak' | 'clerk',
  { profile: Profile; audience: string; claims: Record<string, unknown> }
> = {
  auth0: {
    profile: auth0,
    audience: 'https://api.example.com',
    claims: {
      iss: 'https://tenant.eu.auth0.com/',
      sub: 'auth0|65f1c0ffee',
      aud: ['https://api.example.com', 'https://tenant.eu.auth0.com/userinfo'],
      iat: NOW,
      exp: NOW + 7200,
      azp: 'Kx8tZq',
      scope: 'openid profile agents:read',
      org_id: 'org_1',
      permissions: ['agents:read'],
    },
  },
  keycloak: {
    profile: keycloak,
    audience: 'agent-api',
    claims: {
      exp: NOW + 300,
      iat: NOW,
      jti: 'onrtac:0b2f',
      iss: 'https://sso.example.com/realms/fleet',
      aud: ['agent-api', 'account'],
      sub: '9f0d8e3a',
      typ: 'Bearer',
      azp: 'web',
      sid: 'a4f2',
      acr: '1',
      realm_access: { roles: ['user'] },
      scope: 'openid email',
    },
  },
  clerk: {
    profile: clerk,
    audience: 'https://app.example.com',
    claims: {
      azp: 'https://app.example.com',
      exp: NOW + 60,
      iat: NOW,
      nbf: NOW - 10,
      iss: 'https://clerk.example.com',
      sid: 'sess_1',
      sub: 'user_2',
      sts: 'active',
      v: 2,
      fva: [1, -1],
      o: { id: 'org_1', rol: 'admin', slg: 'acme' },
    },
  },
}

function verify(
  name: keyof typeof samples,
  change: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): Principal {
  const { profile, audience, claims } = samples[name]
  const input = `${base64url({ alg: 'RS256', typ: 'JWT', kid: 'r', ...header })}.${base64url({ ...claims, ...change })}`
  const token = `${input}.${sign('sha256', Buffer.from(input), rsa.privateKey).toString('base64url')}`
  const keys = staticKeys({ keys: [jwk] })
  const issuer = String(claims.iss)
  return createVerifier({ issuer, audience, keys, profile, clock: new FakeClock() }).verifySync(token)
}
const refused = (code: string, where: string): unknown => expect.objectContaining({ code, where })

describe('what each profile lets in', () => {
  it('auth0: an array as audience, azp for the client, no jti', () => {
    expect(verify('auth0')).toMatchObject({
      subject: 'auth0|65f1c0ffee',
      clientId: 'Kx8tZq',
      audience: 'https://api.example.com',
      organization: 'org_1',
      scopes: new Set(['openid', 'profile', 'agents:read']),
    })
    expect(verify('auth0', { aud: 'https://api.example.com', scope: undefined }).scopes.size).toBe(0)
    expect(verify('auth0', { client_id: 'new', azp: undefined, jti: 'a' }, { typ: 'at+jwt' })).toMatchObject({
      clientId: 'new',
      tokenId: 'a',
    })
  })

  it('keycloak: its own kind in the payload, azp for the client', () => {
    expect(verify('keycloak')).toMatchObject({
      subject: '9f0d8e3a',
      clientId: 'web',
      session: 'a4f2',
      tokenId: 'onrtac:0b2f',
    })
  })

  it('clerk: azp for the audience, no client, no scope, the organization of version 2', () => {
    const principal = verify('clerk')
    expect(principal).toMatchObject({
      subject: 'user_2',
      session: 'sess_1',
      organization: 'org_1',
      audience: 'https://app.example.com',
    })
    expect(principal.clientId).toBeUndefined()
    expect(verify('clerk', { o: undefined }).organization).toBeUndefined()
  })
})

describe('what no profile lets in', () => {
  it.each([
    ['auth0', { aud: ['https://other.example.com'] }, 'wrong_audience', 'claims.aud'],
    ['auth0', { aud: [] }, 'wrong_audience', 'claims.aud'],
    ['auth0', { aud: [1] }, 'bad_claims', 'claims.aud'],
    ['auth0', { aud: undefined }, 'bad_claims', 'claims.aud'],
    ['auth0', { azp: undefined }, 'bad_claims', 'claims.client_id'],
    ['auth0', { iat: undefined }, 'bad_claims', 'claims.iat'],
    ['auth0', { nonce: 'n' }, 'wrong_type', 'claims.nonce'],
    ['auth0', { at_hash: 'h' }, 'wrong_type', 'claims.at_hash'],
    ['auth0', { events: {} }, 'wrong_type', 'claims.events'],
    ['keycloak', { typ: 'ID' }, 'wrong_type', 'claims.typ'],
    ['keycloak', { typ: 'Refresh' }, 'wrong_type', 'claims.typ'],
    ['keycloak', { typ: undefined }, 'wrong_type', 'claims.typ'],
    ['keycloak', { jti: undefined }, 'bad_claims', 'claims.jti'],
    ['keycloak', { aud: 'account' }, 'wrong_audience', 'claims.aud'],
    ['clerk', { azp: undefined }, 'bad_claims', 'claims.azp'],
    ['clerk', { azp: 'https://evil.example.com' }, 'wrong_audience', 'claims.azp'],
    ['clerk', { azp: ['https://app.example.com'] }, 'bad_claims', 'claims.azp'],
    ['clerk', { sts: 'pending' }, 'bad_claims', 'claims.sts'],
    ['clerk', { o: { id: 7 } }, 'bad_claims', 'claims.o.id'],
    ['clerk', { iss: 'https://clerk.other.com' }, 'wrong_issuer', 'claims.iss'],
    ['clerk', { exp: NOW - 10, iat: NOW - 70 }, 'expired', 'claims.exp'],
    ['clerk', { nbf: NOW + 30 }, 'not_yet_valid', 'claims.nbf'],
    ['clerk', { sub: undefined }, 'bad_claims', 'claims.sub'],
  ] as const)('%s: %j', (name, change, code, where) => {
    expect(() => verify(name, change)).toThrow(refused(code, where))
  })

  it.each(['auth0', 'keycloak', 'clerk'] as const)('%s: another kind of token by its header', (name) => {
    expect(() => verify(name, {}, { typ: 'logout+jwt' })).toThrow(refused('wrong_type', 'header.typ'))
    expect(() => verify(name, {}, { typ: undefined })).toThrow(refused('wrong_type', 'header.typ'))
    expect(() => verify(name, {}, { alg: 'none' })).toThrow(refused('unsupported_alg', 'header.alg'))
  })
})

/** Every profile in the same dimensions, as its documentation says it. */
interface Documented {
  readonly algorithms: readonly string[]
  /** Accepted `typ`; the empty string is a header without one. */
  readonly types: readonly string[]
  /** Claims that a token may be without. */
  readonly missing: readonly string[]
  /** Claims by which another kind of token is known. */
  readonly foreign: readonly string[]
  /** Where the client may stand. */
  readonly client: readonly string[]
  readonly audienceList: boolean
  readonly organization: boolean
}
const foreign = ['nonce', 'at_hash', 'c_hash', 'events']
const documented: [profile: Profile, its: Documented][] = [
  [
    rfc9068,
    {
      algorithms: ['EdDSA', 'Ed25519'],
      types: ['at+jwt'],
      missing: [],
      foreign: [],
      client: ['client_id'],
      audienceList: false,
      organization: true,
    },
  ],
  [
    auth0,
    {
      algorithms: ['RS256'],
      types: ['at+jwt', 'jwt'],
      missing: ['jti', 'scope'],
      foreign,
      client: ['client_id', 'azp'],
      audienceList: true,
      organization: true,
    },
  ],
  [
    betterAuth,
    {
      algorithms: ['EdDSA', 'ES256', 'RS256'],
      types: ['', 'jwt', 'at+jwt'],
      missing: ['jti', 'scope', 'client_id'],
      foreign,
      client: ['client_id', 'azp'],
      audienceList: false,
      organization: false,
    },
  ],
  [
    keycloak,
    {
      algorithms: ['EdDSA', 'ES256', 'RS256'],
      types: ['at+jwt', 'jwt'],
      missing: ['scope'],
      foreign,
      client: ['client_id', 'azp'],
      audienceList: true,
      organization: false,
    },
  ],
  [
    oidcProvider,
    {
      algorithms: ['EdDSA', 'Ed25519', 'ES256', 'PS256', 'RS256'],
      types: ['at+jwt'],
      missing: ['scope'],
      foreign: [],
      client: ['client_id'],
      audienceList: false,
      organization: false,
    },
  ],
  [
    clerk,
    {
      algorithms: ['RS256'],
      types: ['jwt'],
      missing: ['aud', 'jti', 'scope', 'client_id'],
      foreign,
      client: [],
      audienceList: true,
      organization: false,
    },
  ],
]

describe.each(documented)('the profile $name, in every dimension', (profile, its) => {
  const ed = ed25519Key('ed')
  const keys = staticKeys({ keys: [jwk, ed.jwk] })
  const audience = 'agent-api'
  const good = { ...goodClaims, ...(profile === clerk && { azp: audience }), ...profile.required }
  const judge = (change: Record<string, unknown> = {}, header: Record<string, unknown> = {}): Principal | unknown[] => {
    const usual = its.algorithms.includes('RS256') ? { alg: 'RS256', kid: 'r' } : { alg: 'EdDSA', kid: 'ed' }
    const head = { ...usual, typ: its.types.includes('jwt') ? 'JWT' : 'at+jwt', ...header }
    const input = Buffer.from(`${base64url(head)}.${base64url({ ...good, ...change })}`)
    const signature = usual.kid === 'r' ? sign('sha256', input, rsa.privateKey) : sign(null, input, ed.privateKey)
    const options = { issuer: goodClaims.iss, audience, keys, profile, clock: new FakeClock() }
    try {
      return createVerifier(options).verifySync(`${input}.${signature.toString('base64url')}`)
    } catch (error) {
      if (!isRejection(error)) throw error
      return [error.code, error.where, error.setting]
    }
  }
  const accepts = (change: Record<string, unknown>, header: Record<string, unknown> = {}): boolean =>
    !Array.isArray(judge(change, header))

  it('accepts a good token', () => expect(judge()).toMatchObject({ subject: 'user_1', audience }))

  it('has its algorithms on the list, and no others', () => {
    const all = [
      'EdDSA',
      'Ed25519',
      ...['ES', 'PS', 'RS'].flatMap((kind) => [`${kind}256`, `${kind}384`, `${kind}512`]),
    ]
    const unlisted = ['unsupported_alg', 'header.alg', 'algorithms']
    const listed = all.filter((alg) => JSON.stringify(judge({}, { alg })) !== JSON.stringify(unlisted))
    expect(listed).toEqual(its.algorithms)
  })

  it('takes its types', () => {
    const all = ['', 'jwt', 'at+jwt', 'logout+jwt', 'dpop+jwt', 'text']
    expect(all.filter((typ) => accepts({}, { typ: typ || undefined }))).toEqual(
      all.filter((typ) => its.types.includes(typ)),
    )
  })

  it('goes without what its issuer leaves out, and without nothing else', () => {
    const all = ['iss', 'sub', 'aud', 'exp', 'iat', 'jti', 'client_id', 'scope']
    expect(all.filter((name) => accepts({ [name]: undefined }))).toEqual(
      all.filter((name) => its.missing.includes(name)),
    )
  })

  it('knows other kinds of token by their claims', () => {
    for (const name of foreign) {
      const verdict = its.foreign.includes(name) ? ['wrong_type', `claims.${name}`, 'profile'] : { subject: 'user_1' }
      expect(judge({ [name]: 'x' })).toMatchObject(verdict)
    }
  })

  it('finds the client', () => {
    const found = ['client_id', 'azp'].filter((name) => {
      const judgement = judge({ client_id: undefined, ...(profile !== clerk && { azp: undefined }), [name]: audience })
      return !Array.isArray(judgement) && (judgement as Principal).clientId === audience
    })
    expect(found).toEqual(its.client)
  })

  it('finds the audience and the organization', () => {
    expect(accepts({ aud: [audience, 'other'] })).toBe(its.audienceList)
    const { organization } = judge({ org_id: 'org_1' }) as Principal
    expect(organization).toBe(its.organization ? 'org_1' : undefined)
  })
})

it('have names, for reports', () => {
  const names = documented.map(([profile]) => profile.name)
  expect(names).toEqual(['rfc9068', 'auth0', 'betterAuth', 'keycloak', 'oidcProvider', 'clerk'])
})

it.each([auth0, betterAuth, clerk, keycloak, oidcProvider])('$name is plain frozen data', (profile) => {
  expect(Object.isFrozen(profile)).toBe(true)
  expect(JSON.parse(JSON.stringify(profile))).toEqual(profile)
})
