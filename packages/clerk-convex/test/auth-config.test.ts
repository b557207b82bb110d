import type { AuthConfig } from 'convex/server'
import { describe, expect, it } from 'vitest'
import { assertNoOverlap, clerkProvider, legacyProvider } from '../src/auth-config/index.ts'
import { createSigningKey } from '../src/testing/clerk/signing-key.ts'

const issuer = 'https://clerk.example.com'
const { jwk } = createSigningKey()
const ec = {
  kid: 'legacy-1',
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
}

describe('clerkProvider', () => {
  it('is discovered by default, for the audience of Clerk’s integration', () => {
    expect(clerkProvider({ issuer })).toEqual({ domain: issuer, applicationID: 'convex' })
  })

  it('is pinned to several keys by a data URI with their public members only', () => {
    const second = { ...createSigningKey().jwk, x5c: ['more'] }
    const { alg: _alg, ...bare } = jwk
    const provider = clerkProvider({ issuer, jwks: { keys: [bare, second] } })
    if (!('jwks' in provider)) throw new Error('not pinned')
    const { jwks, ...rest } = provider
    expect(rest).toEqual({ type: 'customJwt', issuer, applicationID: 'convex', algorithm: 'RS256' })
    const [head = '', body = ''] = jwks.split(',')
    expect(head).toBe('data:application/json;base64')
    const { x5c: _x5c, ...plain } = second
    expect(JSON.parse(Buffer.from(body, 'base64').toString())).toEqual({ keys: [jwk, plain] })
  })

  it('is what Convex takes', () => {
    const config: AuthConfig = assertNoOverlap({
      providers: [
        clerkProvider({ issuer, jwks: { keys: [jwk] } }),
        legacyProvider({ issuer: 'https://legacy.example.com', audience: 'convex', algorithm: 'EdDSA' }),
      ],
    })
    expect(config.providers).toHaveLength(2)
  })
})

describe('legacyProvider', () => {
  it('takes EdDSA by discovery, ES256 by keys, RS256 by either', () => {
    const common = { issuer, audience: 'api' }
    expect(legacyProvider({ ...common, algorithm: 'EdDSA' })).toEqual({ domain: issuer, applicationID: 'api' })
    expect(legacyProvider({ ...common, algorithm: 'ES256', jwks: { keys: [ec] } })).toMatchObject({
      algorithm: 'ES256',
    })
    expect(legacyProvider({ ...common, algorithm: 'RS256' })).toEqual({ domain: issuer, applicationID: 'api' })
    expect(legacyProvider({ ...common, algorithm: 'RS256', jwks: { keys: [jwk] } })).toMatchObject({
      algorithm: 'RS256',
    })
  })

  it('refuses what Convex cannot verify', () => {
    const common = { issuer, audience: 'api' }
    const bad = [
      () => legacyProvider({ ...common, algorithm: 'ES256' }),
      () => legacyProvider({ ...common, algorithm: 'EdDSA', jwks: { keys: [jwk] } }),
      () => legacyProvider({ ...common, algorithm: 'HS256' as never }),
      () => legacyProvider({ ...common, algorithm: 'ES256', jwks: { keys: [jwk] } }),
      () => legacyProvider({ ...common, algorithm: 'RS256', jwks: { keys: [ec] } }),
    ]
    for (const make of bad) expect(make).toThrow(expect.objectContaining({ code: 'bad_option' }))
  })
})

describe('refused', () => {
  const rows: [why: string, options: object][] = [
    ['an issuer without a scheme', { issuer: 'clerk.example.com' }],
    ['http', { issuer: 'http://clerk.example.com' }],
    ['credentials in the issuer', { issuer: 'https://a:b@clerk.example.com' }],
    ['a query', { issuer: `${issuer}/?a` }],
    ['no issuer', { issuer: undefined }],
    ['an empty audience', { audience: '' }],
    ['an audience with a space', { audience: 'a b' }],
    ['no key', { jwks: { keys: [] } }],
    ['21 keys', { jwks: { keys: Array.from({ length: 21 }, (_, at) => ({ ...jwk, kid: `k${at}` })) } }],
    ['no list', { jwks: {} }],
    ['a PEM', { jwks: '-----BEGIN PUBLIC KEY-----' }],
    ['a private key', { jwks: { keys: [{ ...jwk, d: 'AQAB' }] } }],
    ['a symmetric key', { jwks: { keys: [{ kid: 'a', kty: 'oct', k: 'AQAB' }] } }],
    ['a key without an id', { jwks: { keys: [{ ...jwk, kid: undefined }] } }],
    ['two keys of one id', { jwks: { keys: [jwk, jwk] } }],
    ['a key for encryption', { jwks: { keys: [{ ...jwk, use: 'enc' }] } }],
    ['a key for another algorithm', { jwks: { keys: [{ ...jwk, alg: 'RS512' }] } }],
    ['a key of 1024 bits', { jwks: { keys: [{ ...jwk, n: jwk.n.slice(0, 171) }] } }],
    ['a modulus that is not base64url', { jwks: { keys: [{ ...jwk, n: `${jwk.n}=` }] } }],
  ]
  it.each(rows)('%s', (_why, options) => {
    expect(() => clerkProvider({ issuer, ...options } as never)).toThrow(
      expect.objectContaining({ code: 'bad_option' }),
    )
  })
})

describe('assertNoOverlap', () => {
  const clerk = clerkProvider({ issuer })
  const rows: [why: string, other: object][] = [
    ['the same pair, once discovered and once pinned', clerkProvider({ issuer, jwks: { keys: [jwk] } })],
    ['a slash at the end', { domain: `${issuer}/`, applicationID: 'convex' }],
    ['a scheme left out', { domain: 'clerk.example.com', applicationID: 'convex' }],
    ['upper case', { domain: 'https://CLERK.example.com', applicationID: 'convex' }],
    ['no audience at all', { type: 'customJwt', issuer, jwks: 'https://clerk.example.com/jwks', algorithm: 'RS256' }],
  ]
  it.each(rows)('finds %s, in either order', (_why, other) => {
    for (const providers of [
      [clerk, other],
      [other, clerk],
    ]) {
      expect(() => assertNoOverlap({ providers: providers as never })).toThrow(
        expect.objectContaining({
          code: 'overlapping_providers',
          message: expect.stringMatching(/providers\.0.*providers\.1/),
        }),
      )
    }
  })

  it('lets another audience and another issuer be', () => {
    const providers = [clerk, { ...clerk, applicationID: 'other' }, clerkProvider({ issuer: 'https://b.example.com' })]
    expect(assertNoOverlap({ providers })).toEqual({ providers })
  })
})
