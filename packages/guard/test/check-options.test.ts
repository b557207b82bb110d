import { auth0, createVerifier, staticKeys, type Verifier } from '@countersign/tokens'
import { describe, expect, it } from 'vitest'
import { createGuard, type GuardOptions } from '../src/index.ts'

const issuer = 'https://auth.example.com'
const own = { issuer, audience: 'agent-api' }
const verifier: Verifier = { verify: () => Promise.reject(new Error('never asked')) }
const consumer = { audience: 'agent-api', scopes: {} }
const revocations = { isRevoked: () => false, onChange: () => () => {} }
const noKeys = { get: () => undefined, load: async () => undefined }

function make(options: unknown): void {
  void createGuard(options as GuardOptions).close()
}

describe('a guard', () => {
  it.each<[why: string, options: unknown, message: string]>([
    ['nothing', undefined, 'an object of options'],
    ['a URL alone', issuer, 'an object of options'],
    ['no options at all', {}, 'give `issuer` and `audience`, or a `verifier`'],
    ['a misspelt audience', { issuer, audiense: 'agent-api' }, '`audiense` is not the name'],
    ['a misspelt refusal of the feed', { ...own, revocation: false }, '`revocation` is not the name'],
    ['a name out of a prototype', JSON.parse('{ "toString": 1 }'), '`toString` is not the name'],
    ['a profile beside `verify`', { ...own, profile: auth0 }, '`profile` belongs into `verify`'],
    ['keys of its own', { ...own, keys: staticKeys }, '`keys` is not for a guard with `issuer`'],
    [
      'another issuer to verify',
      { ...own, verify: { issuer: 'https://b.example.com' } },
      '`verify.issuer` is the guard',
    ],
    ['a clock to verify', { ...own, verify: { clock: {} } }, '`verify.clock` is the guard'],
    ['text to verify', { ...own, verify: 'auth0' }, '`verify` must be an object'],
    ['a URL as `jwks`', { ...own, jwks: `${issuer}/keys` }, '`jwks` must be an object'],
    ['an issuer that is no URL', { ...own, issuer: 'auth.example.com' }, '`issuer` must be a URL'],
    ['an issuer that is no text', { ...own, issuer: new URL(issuer) }, '`issuer` must be a URL'],
    ['a `jwksUrl` that is no URL', { ...own, jwksUrl: '/keys' }, '`jwksUrl` must be a URL'],
    ['two audiences', { issuer, audience: ['agent-api'] }, '`audience` must be text'],
    ['the name of a consumer', { issuer, consumer: 'agent-api' }, '`consumer` must be an entry'],
    ['a consumer without scopes', { issuer, consumer: { audience: 'a' } }, '`consumer` must be an entry'],
    ['revocations that are true', { ...own, revocations: true }, '`revocations` must be'],
    ['revocations that are null', { ...own, revocations: null }, '`revocations` must be'],
    ['the URL of revocations', { ...own, revocations: `${issuer}/revocations` }, '`revocations` must be'],
    ['revocations that cannot tell', { ...own, revocations: { isRevoked: () => false } }, '`revocations` must be'],
    ['an observer that cannot be called', { ...own, onEvent: console }, '`onEvent` must be a function'],
    ['an `introspect` that cannot be called', { ...own, introspect: true }, '`introspect` must be a function'],
    ['a clock that is none', { ...own, clock: Date }, '`clock` must be a clock'],
    ['a resource that is no text', { ...own, resource: new URL(issuer) }, '`resource` must be text'],
    ['a misspelt name in the feed', { ...own, feed: { uri: issuer } }, '`feed.uri` is not the name'],
    ['a token where one is to be got', { ...own, feed: { ack: 'token' } }, '`feed.ack` must be a function'],
    ['a verifier that is not there', { verifier: undefined, ...own, audience: undefined }, '`verifier` must be'],
    ['a verifier that cannot verify', { verifier: {} }, '`verifier` must be a verifier'],
    ['its own audience beside a verifier', { verifier, audience: 'agent-api' }, '`audience` is not for a guard with'],
    ['a `jwksUrl` beside a verifier', { verifier, jwksUrl: `${issuer}/keys` }, '`jwksUrl` is not for a guard with'],
    ['a profile beside a verifier', { verifier, profile: auth0 }, '`profile` belongs to the verifier'],
  ])('does not start with %s', (_why, options, message) => {
    const error = expect.objectContaining({
      name: 'GuardError',
      code: 'bad_option',
      message: expect.stringMatching(/^createGuard: .{15,}\.$/),
    })
    expect(() => make(options)).toThrow(error)
    expect(() => make(options)).toThrow(message)
  })

  it('leaves what `verify` holds to the verifier, which names it', () => {
    expect(() => make({ ...own, verify: { isRevokd: () => true } })).toThrow(
      expect.objectContaining({ name: 'TokensError', message: expect.stringContaining('"isRevokd"') }),
    )
  })

  it.each<[what: string, options: GuardOptions]>([
    ['its issuer and audience', own],
    ['a consumer', { issuer, consumer }],
    ['a verifier and what describes it', { verifier, issuer, consumer, revocations }],
    ['a verifier of an issuer elsewhere', { verifier: createVerifier({ ...own, keys: noKeys }) }],
    ['revocations of its own', { ...own, revocations }],
    ['no revocations', { ...own, revocations: false, feed: { limits: {} } }],
    ['a profile', { ...own, jwksUrl: `${issuer}/keys`, verify: { profile: auth0, cache: false } }],
  ])('starts with %s', (_what, options) => expect(() => make(options)).not.toThrow())
})
