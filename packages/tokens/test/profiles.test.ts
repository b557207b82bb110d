import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  auth0,
  betterAuth,
  clerk,
  createVerifier,
  keycloak,
  oidcProvider,
  type Principal,
  type Profile,
  staticKeys,
} from '../src/index.ts'
import { FakeClock } from './support/fake-clock.ts'
import { base64url, NOW } from './support/issuer.ts'

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

it.each([auth0, betterAuth, clerk, keycloak, oidcProvider])('$name is plain frozen data', (profile) => {
  expect(Object.isFrozen(profile)).toBe(true)
  expect(JSON.parse(JSON.stringify(profile))).toEqual(profile)
})
