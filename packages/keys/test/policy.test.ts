import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { demoPolicy, type KeyPolicy, readerOptions, resolvePolicy } from '../src/index.ts'

const issuer = 'https://auth.example.com'
const base: KeyPolicy = { accessTokenLifeSeconds: 600 }

describe('resolvePolicy', () => {
  it('publishes a key 3,750 s before it signs, and keeps the old one for the token life and half an hour', () => {
    expect(resolvePolicy(base, issuer)).toEqual({
      accessTokenLifeSeconds: 600,
      jwksMaxAgeSeconds: 300,
      staleWhileRevalidateSeconds: 60,
      staleIfErrorSeconds: 600,
      verifierCacheSeconds: 3600,
      signerLeaseSeconds: 90,
      skewSeconds: 60,
      overlapSeconds: 2400,
      maxOverlapSeconds: 86_400,
      rotateAfterSeconds: 27 * 86_400,
      maxAgeSeconds: 30 * 86_400,
      standby: 'on',
      pastMaxAge: 'sign',
      blackouts: [],
      propagationSeconds: 3750,
      pollSeconds: 10,
      scale: 1,
    })
  })

  it('counts the longer of what the headers allow and what verifiers do', () => {
    const headers = { ...base, jwksMaxAgeSeconds: 4000, staleWhileRevalidateSeconds: 500, staleIfErrorSeconds: 500 }
    expect(resolvePolicy(headers, issuer).propagationSeconds).toBe(5150)
    expect(resolvePolicy({ ...headers, verifierCacheSeconds: 7200 }, issuer).propagationSeconds).toBe(7350)
  })

  it('never publishes for less than 15 minutes', () => {
    const quick = { ...base, jwksMaxAgeSeconds: 1, staleWhileRevalidateSeconds: 0, staleIfErrorSeconds: 0 }
    expect(resolvePolicy({ ...quick, verifierCacheSeconds: 0 }, issuer).propagationSeconds).toBe(900)
  })

  it('takes the seven-day tokens of a ring that says so', () => {
    const week = 7 * 86_400
    const policy = { accessTokenLifeSeconds: week, maxOverlapSeconds: week + 3600 }
    expect(resolvePolicy(policy, issuer).overlapSeconds).toBe(week + 1800)
  })

  const refused: [why: string, policy: KeyPolicy, code: string, names: string[]][] = [
    ['tokens outlive the overlap', { accessTokenLifeSeconds: 86_000 }, 'overlap_impossible', ['87800', '86400']],
    ['the overlap is set too short', { ...base, overlapSeconds: 749 }, 'overlap_impossible', ['750', '749']],
    ['the overlap is set too long', { ...base, overlapSeconds: 90_000 }, 'overlap_impossible', ['90000', '86400']],
    [
      'a key cannot propagate before it is due',
      { ...base, rotateAfterSeconds: 3600 },
      'propagation_impossible',
      ['3750', '3600'],
    ],
    [
      'two keys would be visible for too long without a standby',
      { ...base, standby: 'off', maxOverlapSeconds: 6000 },
      'propagation_impossible',
      ['6150', '6000'],
    ],
    [
      'keys rotate after their greatest age',
      { ...base, rotateAfterSeconds: 31 * 86_400 },
      'policy_invalid',
      ['2678400', '2592000'],
    ],
    ['there is no token life', {} as KeyPolicy, 'policy_invalid', ['accessTokenLifeSeconds']],
    ['a number is none', { ...base, skewSeconds: Number.NaN }, 'policy_invalid', ['skewSeconds']],
    ['a number is negative', { ...base, staleIfErrorSeconds: -1 }, 'policy_invalid', ['staleIfErrorSeconds']],
    ['a lease is nothing', { ...base, signerLeaseSeconds: 0 }, 'policy_invalid', ['signerLeaseSeconds']],
    ['a header value has a fraction', { ...base, jwksMaxAgeSeconds: 1.5 }, 'policy_invalid', ['jwksMaxAgeSeconds']],
    ['a token life has a fraction', { accessTokenLifeSeconds: 1.5 }, 'policy_invalid', ['accessTokenLifeSeconds']],
    ['a choice is none', { ...base, standby: 'maybe' as 'on' }, 'policy_invalid', ['standby']],
    ['another choice is none', { ...base, pastMaxAge: 'x' as 'sign' }, 'policy_invalid', ['pastMaxAge']],
    ['the demo is scaled by nothing', { ...base, demo: { scale: 0 } }, 'policy_invalid', ['demo.scale']],
    ['the demo is no demo', { ...base, demo: { scale: 2 } }, 'policy_invalid', ['demo.scale']],
  ]
  it.each(refused)('refuses it when %s', (_why, policy, code, names) => {
    const attempt = (): unknown => resolvePolicy(policy, 'http://localhost:4600')
    expect(attempt).toThrow(expect.objectContaining({ code }))
    for (const name of names) expect(attempt).toThrow(name)
  })

  it('keeps T + L + s ≤ O ≤ maxOverlap and W above everything cached, or refuses', () => {
    const seconds = (max: number): fc.Arbitrary<number | undefined> =>
      fc.option(fc.nat(max), { nil: undefined, freq: 2 })
    const policies = fc
      .record({
        accessTokenLifeSeconds: fc.integer({ min: 1, max: 100_000 }),
        jwksMaxAgeSeconds: seconds(86_400),
        staleWhileRevalidateSeconds: seconds(86_400),
        staleIfErrorSeconds: seconds(86_400),
        verifierCacheSeconds: seconds(86_400),
        signerLeaseSeconds: seconds(3600),
        skewSeconds: seconds(300),
        overlapSeconds: seconds(100_000),
        maxOverlapSeconds: seconds(1_000_000),
      })
      .map((all) => Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)))
    fc.assert(
      fc.property(policies, fc.boolean(), (some, isDemo) => {
        const policy = (isDemo ? demoPolicy(some as never) : some) as KeyPolicy
        try {
          const p = resolvePolicy(policy, 'http://127.0.0.1:4600')
          expect(p.overlapSeconds).toBeGreaterThanOrEqual(
            p.accessTokenLifeSeconds + p.signerLeaseSeconds + p.skewSeconds,
          )
          expect(p.overlapSeconds).toBeLessThanOrEqual(p.maxOverlapSeconds)
          const cached = p.jwksMaxAgeSeconds + p.staleWhileRevalidateSeconds + p.staleIfErrorSeconds
          const lag = p.signerLeaseSeconds + p.skewSeconds
          expect(p.propagationSeconds).toBeGreaterThanOrEqual(Math.max(cached, p.verifierCacheSeconds) + lag - 1e-6)
          if (!isDemo) expect(p.propagationSeconds).toBeGreaterThanOrEqual(900)
          expect(p.pollSeconds).toBeLessThan(p.signerLeaseSeconds)
        } catch (error) {
          expect(error).toMatchObject({ name: 'KeysError' })
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('the demo policy', () => {
  it('lets a rotation be seen within seconds, the token life apart', () => {
    const policy = resolvePolicy(demoPolicy(base), 'http://127.0.0.1:4600')
    expect(policy.propagationSeconds).toBeGreaterThan(2)
    expect(policy.propagationSeconds).toBeLessThan(3)
    expect(policy).toMatchObject({ accessTokenLifeSeconds: 600, jwksMaxAgeSeconds: 1, staleIfErrorSeconds: 0 })
    expect(policy.overlapSeconds).toBeGreaterThan(600)
    expect(policy.overlapSeconds).toBeLessThan(603)
  })

  it.each([
    'http://localhost',
    'http://localhost:4600/auth',
    'http://127.0.0.1:4600',
    'http://127.9.9.9',
    'http://[::1]:1',
    'https://a.localhost',
  ])('is accepted for %s', (loopback) => {
    expect(resolvePolicy(demoPolicy(base), loopback).scale).toBeLessThan(1)
  })

  it.each([
    'https://auth.example.com',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'http://10.0.0.1',
    'http://localhost@example.com',
    'http://notlocalhost',
    'localhost',
    '',
  ])('is refused for "%s"', (elsewhere) => {
    expect(() => resolvePolicy(demoPolicy(base), elsewhere)).toThrow(expect.objectContaining({ code: 'demo_refused' }))
  })

  it('tells readers how to scale along', () => {
    expect(readerOptions(base)).toEqual({})
    expect(readerOptions(demoPolicy(base))).toEqual({ demo: { scale: 1 / 2400 } })
  })
})
