import { type RejectionCode, rejectionCodes } from '@countersign/tokens'
import { describe, expect, it } from 'vitest'
import { challenge, protectedResourceMetadata, resourceMetadataUrl, statusOf } from '../src/http.ts'
import { createGuard } from '../src/index.ts'

const statuses: Partial<Record<RejectionCode, number>> = {
  invalid_request: 400,
  insufficient_scope: 403,
  keys_unavailable: 503,
  revocations_stale: 503,
}

describe('challenge', () => {
  it.each(rejectionCodes.map((code) => [code]))('answers %s by the book', (code) => {
    const { status, headers, body } = challenge({ admitted: false, code })
    expect(status).toBe(statuses[code] ?? 401)
    expect(statusOf(code)).toBe(status)
    expect(headers['Cache-Control']).toBe('no-store')
    expect('WWW-Authenticate' in headers).toBe(status !== 503)
    expect('Retry-After' in headers).toBe(status === 503)
    expect(body.error).toMatch(/^[a-z_]+$/)
  })

  it('names no error where there was no token', () => {
    expect(challenge({ admitted: false, code: 'no_token' }).headers['WWW-Authenticate']).toBe('Bearer')
  })

  it('says the same for every reason that only an attacker learns from', () => {
    const codes = ['malformed', 'unknown_key', 'bad_signature', 'wrong_issuer', 'wrong_audience', 'revoked'] as const
    expect(new Set(codes.map((code) => JSON.stringify(challenge({ admitted: false, code })))).size).toBe(1)
  })

  it('says all that a client needs to get the right token', () => {
    const denial = { admitted: false, code: 'insufficient_scope', missingScopes: ['b:x'] } as const
    const options = { scopes: ['a:x', 'b:x'], resourceMetadata: 'https://api.example.com/m', realm: 'api' }
    expect(challenge(denial, options).headers['WWW-Authenticate']).toBe(
      'Bearer realm="api", error="insufficient_scope", error_description="The access token lacks a scope", scope="a:x b:x", resource_metadata="https://api.example.com/m"',
    )
    expect(challenge(denial).headers['WWW-Authenticate']).toContain('scope="b:x"')
  })

  it('asks for a second at least before the next try', () => {
    const after = (retryAfterSeconds?: number) =>
      challenge({
        admitted: false,
        code: 'keys_unavailable',
        ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
      }).headers['Retry-After']
    expect([after(), after(0), after(1.2), after(30)]).toEqual(['5', '1', '2', '30'])
  })

  it('stays under 2 KB at its longest', () => {
    const scopes = Array.from({ length: 300 }, (_, index) => `resource-${index}:action`)
    const refusal = challenge(
      { admitted: false, code: 'insufficient_scope', missingScopes: scopes },
      { scopes: scopes.slice(0, 50), realm: 'r'.repeat(128), resourceMetadata: `https://a.example/${'p'.repeat(500)}` },
    )
    expect(JSON.stringify(refusal).length).toBeLessThan(2048)
    expect(
      challenge({ admitted: false, code: 'insufficient_scope', missingScopes: scopes }).headers['WWW-Authenticate'],
    ).not.toContain('scope=')
  })

  it.each([
    ['a quote', { realm: 'a"b' }],
    ['a backslash', { realm: 'a\\b' }],
    ['a line break', { realm: 'a\r\nSet-Cookie: x' }],
    ['129 characters', { realm: 'a'.repeat(129) }],
    ['a quote in a scope', { scopes: ['a"b'] }],
    ['a quote in the URL', { resourceMetadata: 'https://a.example/"' }],
  ])('does not write a header with %s', (_what, options) => {
    expect(() => challenge({ admitted: false, code: 'expired' }, options)).toThrow(
      expect.objectContaining({ code: 'bad_option' }),
    )
  })
})

describe('protected resource metadata', () => {
  const verifier = { verify: () => Promise.reject(new Error('never asked')) }

  it('says where the consumer answers, who issues, which scopes there are', () => {
    const consumer = { audience: 'a', scopes: { 'a:x': {} }, resource: 'https://api.example.com' }
    expect(protectedResourceMetadata(createGuard({ verifier, issuer: 'https://auth.example.com', consumer }))).toEqual({
      resource: 'https://api.example.com',
      authorization_servers: ['https://auth.example.com'],
      scopes_supported: ['a:x'],
      bearer_methods_supported: ['header'],
    })
  })

  it.each([
    ['https://api.example.com', 'https://api.example.com/.well-known/oauth-protected-resource'],
    ['https://api.example.com/', 'https://api.example.com/.well-known/oauth-protected-resource'],
    ['https://api.example.com/v1/mcp', 'https://api.example.com/.well-known/oauth-protected-resource/v1/mcp'],
    ['http://127.0.0.1:4610', 'http://127.0.0.1:4610/.well-known/oauth-protected-resource'],
  ])('of %s lies at %s', (resource, url) => {
    expect(resourceMetadataUrl(createGuard({ verifier, resource }))).toBe(url)
  })

  it('is refused by a guard that does not know its resource', () => {
    const guard = createGuard({ verifier })
    expect(() => protectedResourceMetadata(guard)).toThrow(expect.objectContaining({ code: 'no_resource' }))
    expect(resourceMetadataUrl(guard)).toBeUndefined()
  })
})
