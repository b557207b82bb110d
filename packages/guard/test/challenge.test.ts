import { type RejectionCode, rejectionCodes } from '@countersign/tokens'
import { describe, expect, it } from 'vitest'
import {
  type ChallengeOptions,
  challenge,
  protectedResourceMetadata,
  resourceMetadataUrl,
  statusOf,
} from '../src/http.ts'
import { createGuard } from '../src/index.ts'

const statuses: Partial<Record<RejectionCode, number>> = {
  invalid_request: 400,
  insufficient_scope: 403,
  keys_unavailable: 503,
  revocations_stale: 503,
}

const invalid = ['invalid_token', 'The access token is not accepted']
const later = ['temporarily_unavailable', 'Try again later']
/** What is told to the caller. */
const words: Partial<Record<RejectionCode, string[]>> = {
  no_token: ['unauthorized', 'An access token is needed'],
  invalid_request: ['invalid_request', 'Send exactly one access token, in the Authorization header'],
  expired: ['invalid_token', 'The access token expired'],
  insufficient_scope: ['insufficient_scope', 'The access token lacks a scope'],
  keys_unavailable: later,
  revocations_stale: later,
}

describe('challenge', () => {
  it.each(rejectionCodes.map((code) => [code]))('answers %s by the book', (code) => {
    const { status, headers, body } = challenge({ admitted: false, code })
    expect(status).toBe(statuses[code] ?? 401)
    expect(statusOf(code)).toBe(status)
    expect(headers['Cache-Control']).toBe('no-store')
    expect('WWW-Authenticate' in headers).toBe(status !== 503)
    expect('Retry-After' in headers).toBe(status === 503)
    expect([body.error, body.error_description]).toEqual(words[code] ?? invalid)
    expect(headers['Content-Type']).toBe('application/json')
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

  it('leaves scopes out past 1,024 characters, and takes the rest to its bound', () => {
    const headerOf = (options: ChallengeOptions) =>
      challenge({ admitted: false, code: 'insufficient_scope' }, options).headers['WWW-Authenticate']
    expect(headerOf({ scopes: ['s'.repeat(1024)] })).toContain(`scope="${'s'.repeat(1024)}"`)
    expect(headerOf({ scopes: ['s'.repeat(1025)] })).not.toContain('scope="')
    expect(headerOf({ scopes: [] })).not.toContain('scope="')
    const printable = ` !#$%&'()*+,-./09:;<=>?@AZ[]^_az{|}~`
    expect(headerOf({ realm: printable })).toContain(`realm="${printable}"`)
    expect(headerOf({ realm: 'r'.repeat(128) })).toContain('r'.repeat(128))
    const resourceMetadata = `https://a.example/${'p'.repeat(622)}`
    expect(headerOf({ resourceMetadata })).toContain(`resource_metadata="${resourceMetadata}"`)
    expect(() => headerOf({ resourceMetadata: `${resourceMetadata}p` })).toThrow(/resource_metadata/)
  })

  it.each([
    ['a character that does not print', { realm: 'a\x7f' }],
    ['a letter outside ASCII', { realm: 'é' }],
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

  it('says no more than the guard knows', () => {
    const resource = 'http://localhost:4610/api'
    expect(protectedResourceMetadata(createGuard({ verifier, resource }))).toEqual({
      resource,
      bearer_methods_supported: ['header'],
    })
  })

  it.each([
    ['http://localhost', true],
    ['http://[::1]:4610', true],
    ['http://127.255.0.1', true],
    [`https://a.example/${'p'.repeat(494)}`, true],
    [`https://a.example/${'p'.repeat(495)}`, false],
    ['http://localhost.example.com', false],
    ['http://mylocalhost', false],
    ['http://127.0.0.1.example.com', false],
    ['ftp://localhost', false],
    ['https://user@a.example', false],
    ['https://:secret@a.example', false],
    ['https://a.example/#x', false],
    ['https://a.example/?', false],
    ['https://a.example/v1\n', false],
    [' https://a.example/v1', false],
    [`https://a.example/${'é'.repeat(82)}`, true],
    [`https://a.example/${'é'.repeat(83)}`, false],
    ['', false],
  ])('takes %s for a resource: %s', (resource, isTaken) => {
    const make = () => createGuard({ verifier, resource })
    if (isTaken) expect(make().resource).toBe(resource)
    else
      expect(make).toThrow(
        expect.objectContaining({ code: 'bad_option', message: expect.stringContaining('`resource`') }),
      )
  })

  it('is refused by a guard that does not know its resource', () => {
    const guard = createGuard({ verifier })
    expect(() => protectedResourceMetadata(guard)).toThrow(expect.objectContaining({ code: 'no_resource' }))
    expect(resourceMetadataUrl(guard)).toBeUndefined()
  })
})
