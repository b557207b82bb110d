import { readFileSync } from 'node:fs'
import type { AuthConfig } from 'convex/server'
import { convexTest } from 'convex-test'
import { createLocalJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { clerkProvider } from '../src/auth-config/index.ts'
import { parseClerkClaims } from '../src/index.ts'
import { convexIdentity, convexTokens, createDeploymentKey, withSignJwt, withToken } from '../src/testing/index.ts'
import { clerkWorld } from './clerk-world.ts'
import schema from './convex/schema.ts'
import { modules } from './convex-world.ts'

const providerNames = ['oidc', 'custom-RS256', 'custom-ES256', 'custom-no-audience'] as const
const algorithms = ['RS256', 'EdDSA', 'ES256'] as const
const { now, good, vectors } = z
  .object({
    now: z.number(),
    good: z.record(z.string(), z.unknown()),
    vectors: z.array(
      z.object({
        name: z.string(),
        provider: z.enum(providerNames),
        alg: z.enum(algorithms),
        claims: z.record(z.string(), z.unknown()).default({}),
        header: z.record(z.string(), z.unknown()).default({}),
        signer: z.literal('foreign').optional(),
        fault: z.string().optional(),
        identity: z.record(z.string(), z.unknown()).optional(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('convex-identity.json', import.meta.url), 'utf8')))

type Pair = Awaited<ReturnType<typeof generateKeyPair>>
const pairs = new Map<string, Pair>()
const jwks = { keys: [] as object[] }

beforeAll(async () => {
  for (const alg of algorithms) {
    const pair = await generateKeyPair(alg)
    pairs.set(alg, pair)
    pairs.set(`foreign ${alg}`, await generateKeyPair(alg))
    jwks.keys.push({ ...(await exportJWK(pair.publicKey)), kid: `key-${alg}`, alg, use: 'sig' })
  }
})

const issuer = 'https://issuer.test'
let asked = 0
const fetch = async (url: string | URL | Request) => {
  asked++
  const isDiscovery = String(url).endsWith('/.well-known/openid-configuration')
  return Response.json(isDiscovery ? { issuer, jwks_uri: `${issuer}/jwks` } : jwks, {
    headers: { 'cache-control': 'public, max-age=60' },
  })
}

function config(provider: (typeof providerNames)[number]): AuthConfig {
  if (provider === 'oidc') return { providers: [{ domain: 'issuer.test', applicationID: 'convex' }] }
  const custom = { type: 'customJwt', issuer, jwks: `${issuer}/jwks` } as const
  if (provider === 'custom-no-audience') return { providers: [{ ...custom, algorithm: 'RS256' }] }
  const algorithm = provider === 'custom-ES256' ? 'ES256' : 'RS256'
  return { providers: [{ ...custom, algorithm, applicationID: 'convex' }] }
}

function without(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null))
}

function mint(
  alg: string,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
  signer = '',
): Promise<string> {
  const key = pairs.get(`${signer}${alg}`)?.privateKey
  if (key === undefined) throw new Error('No such key.')
  return new SignJWT(without({ ...good, ...claims }))
    .setProtectedHeader({ alg, ...without({ kid: `key-${alg}`, ...header }) })
    .sign(key)
}

describe("Convex's check of a token", () => {
  it.each(vectors)('$name', async ({ provider, alg, claims, header, signer, fault, identity }) => {
    const token = await mint(alg, claims, header, signer === undefined ? '' : 'foreign ')
    const outcome = await convexIdentity(token, config(provider), { fetch, now: () => now })
    if (fault !== undefined) return expect(outcome).toEqual({ fault })
    const named = { issuer, subject: 'user_1', tokenIdentifier: `${claims.iss ?? issuer}|user_1` }
    expect(outcome).toEqual({ identity: { ...named, ...identity }, expiresAt: claims.exp ?? good.exp })
  })

  it('says no to what is no token', async () => {
    for (const token of ['', 'a.b', 'a.b.c', 'x'.repeat(10_000)]) {
      expect(await convexIdentity(token, config('oidc'), { fetch, now: () => now })).toEqual({ fault: 'malformed' })
    }
  })

  it.each([
    ['application/json', true],
    ['application/jwk-set+json', true],
    ['Application/JSON; charset=utf-8', true],
    ['application/json; charset=latin1', false],
    ['text/plain', false],
    ['', false],
  ])('takes a key set by URL that is sent as %j: %s', async (type, isTaken) => {
    const asText = async () => new Response(JSON.stringify(jwks), { headers: { 'content-type': type } })
    const outcome = await convexIdentity(await mint('RS256'), config('custom-RS256'), { fetch: asText, now: () => now })
    expect('identity' in outcome).toBe(isTaken)
  })

  it('asks the first provider that fits and no other', async () => {
    const wrong = {
      type: 'customJwt',
      issuer,
      applicationID: 'convex',
      jwks: 'data:application/json,{"keys":[]}',
      algorithm: 'RS256',
    } as const
    const shadowed: AuthConfig = { providers: [wrong, ...config('custom-RS256').providers] }
    expect(await convexIdentity(await mint('RS256'), shadowed, { fetch, now: () => now })).toEqual({
      fault: 'unknown_key',
    })
  })

  it('keeps keys as long as their answer allows, and then needs the provider', async () => {
    let time = now
    let down = false
    asked = 0
    const tokens = convexTokens(config('oidc'), {
      now: () => time,
      fetch: async (url) => (down ? Promise.reject(new Error('down')) : fetch(url as string)),
    })
    const token = await mint('RS256', { exp: now + 600 })
    for (let turn = 0; turn < 5; turn++) expect(await tokens.check(token)).toHaveProperty('identity')
    expect(asked).toBe(2)
    down = true
    time += 59
    expect(await tokens.check(token)).toHaveProperty('identity')
    time += 2
    expect(await tokens.check(token)).toEqual({ fault: 'keys_unavailable' })
  })

  it('takes a session of Clerk by both providers, and both identities say the same', async () => {
    const { clerk, sessionId, userId, organizationId } = await clerkWorld()
    const token = clerk.token(sessionId, { template: { name: 'convex', audience: 'convex' } })
    for (const keys of ['discover', clerk.jwks] as const) {
      const provider = clerkProvider({ issuer: clerk.issuer, jwks: keys })
      const outcome = await convexIdentity(token, { providers: [provider] })
      if (!('identity' in outcome)) throw new Error(outcome.fault)
      const claims = parseClerkClaims(outcome.identity)
      expect([claims.subject, claims.organization?.id]).toEqual([userId, organizationId])
    }
  })
})

describe('convex-test with real tokens', () => {
  it('hands the token on to those that may see it', async () => {
    const t = convexTest({ schema, modules })
    const caller = await withToken(t, {
      token: 'the.real.token',
      identity: { subject: 's', issuer, tokenIdentifier: `${issuer}|s` },
    })
    const seen = await caller.mutation(async (ctx) => (await ctx.meta.getRequestMetadata()).authToken)
    expect(seen).toBe('the.real.token')
    const other = t.withIdentity({ subject: 's', issuer })
    expect(await other.mutation(async (ctx) => (await ctx.meta.getRequestMetadata()).authToken)).not.toBe(seen)
  })

  it('signs in mutations, with the rules of Convex, and nowhere else', async () => {
    const key = await createDeploymentKey({ issuer: 'http://127.0.0.1:1', now: () => now })
    const t = await withSignJwt(convexTest({ schema, modules }), key)
    const token = await t.mutation((ctx) => ctx.auth.signJwt({ claims: { sub: 'r', aud: 'a' }, expiresInSeconds: 60 }))
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(key.jwks), {
      currentDate: new Date(now * 1_000),
    })
    expect(payload).toEqual({ iss: 'http://127.0.0.1:1', sub: 'r', aud: 'a', iat: now, exp: now + 60 })
    expect(protectedHeader.alg).toBe('ES256')
    const sign = (options: object) => t.mutation((ctx) => ctx.auth.signJwt(options as never))
    await expect(sign({ expiresInSeconds: 3_601 })).rejects.toThrow('3600')
    await expect(sign({ expiresInSeconds: 60, claims: { iss: 'x' } })).rejects.toThrow('reserved')
    await expect(sign({ expiresInSeconds: 60, claims: { CvxRole: 'x' } })).rejects.toThrow('reserved')
    const signer = (ctx: { auth: object }) => Reflect.get(ctx.auth, 'signJwt').call(ctx.auth, { expiresInSeconds: 60 })
    await expect(t.query(signer)).rejects.toThrow('only be called from a mutation')
    await expect(t.action(signer)).rejects.toThrow('only be called from a mutation')
  })
})
