import { createHmac } from 'node:crypto'
import { betterAuth, type Clock, oidcProvider, systemClock } from '@countersign/tokens'
import { type BetterAuthIssuer, startBetterAuth } from '@countersign-tooling/issuers/better-auth'
import { type OidcProviderIssuer, startOidcProvider } from '@countersign-tooling/issuers/oidc-provider'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as http from '../src/http.ts'
import { createGuard, type Guard, type GuardEvent, type IssuerGuardOptions } from '../src/index.ts'
import { examples, replaced, serve } from './readme-examples.ts'

const [example = ''] = examples('With another issuer')
const readme = { issuer: 'https://id.example.com', profile: 'verify: { profile: oidcProvider }' }
const ends: (() => Promise<void>)[] = []

afterAll(async () => {
  for (const end of ends.splice(0)) await end()
})

interface Answer {
  readonly status: number
  /** The challenge's `error`, or the body of an admitted request. */
  readonly said: string
  /** What the guard's events say and the wire does not; of bad claims also which. */
  readonly code: string | undefined
  readonly retryAfter: string | null
}

interface Service {
  ask(...authorization: string[]): Promise<Answer>
}

/** The README's example as a running service; `change` is what its `createGuard` is told besides. */
async function service(code: string, change: Partial<IssuerGuardOptions> = {}): Promise<Service> {
  const events: GuardEvent[] = []
  const guards: Guard[] = []
  const server = await serve(code, {
    ...http,
    oidcProvider,
    betterAuth,
    createGuard: (options: IssuerGuardOptions) => {
      const guard = createGuard({ ...options, ...change, onEvent: (event) => events.push(event) })
      guards.push(guard)
      return guard
    },
  })
  ends.push(async () => {
    await server.close()
    for (const guard of guards) await guard.close()
  })
  return {
    async ask(...authorization) {
      const headers = new Headers()
      for (const one of authorization) headers.append('authorization', one)
      const response = await fetch(server.url, { headers })
      const text = await response.text()
      const challenged = /error="(\w+)"/.exec(response.headers.get('www-authenticate') ?? '')?.[1]
      const last = events.at(-1)
      return {
        status: response.status,
        said: challenged ?? (response.ok ? text : JSON.parse(text).error),
        code: reasonOf(last),
        retryAfter: response.headers.get('retry-after'),
      }
    },
  }
}

function reasonOf(event: GuardEvent | undefined): string | undefined {
  if (event?.type === 'denied' && event.code === 'bad_claims') return `bad_claims in ${event.where}`
  return event !== undefined && 'code' in event ? event.code : undefined
}

const clockAt = (shiftSeconds: number): Clock => ({ ...systemClock, now: () => systemClock.now() + shiftSeconds })
const hour = 3600

/** Changes one character in the midst of a segment, where every bit of it counts. */
function tampered(token: string, segment: 0 | 1 | 2): string {
  const parts = token.split('.')
  const text = parts[segment] ?? ''
  const at = Math.floor(text.length / 2)
  parts[segment] = `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`
  return parts.join('.')
}

/** The published key, taken for the secret of an HMAC. */
async function signedWithPublicKey(token: string, jwksUrl: string): Promise<string> {
  const [header = '', payload] = token.split('.')
  const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString())
  const { keys } = (await (await fetch(jwksUrl)).json()) as { keys: { kid: string; x?: string; n?: string }[] }
  const key = keys.find((one) => one.kid === kid)
  const forged = Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'at+jwt', kid })).toString('base64url')
  const input = `${forged}.${payload}`
  const secret = Buffer.from(key?.x ?? key?.n ?? '', 'base64url')
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

const invalidToken = (code: string) => ({ status: 401, said: 'invalid_token', code, retryAfter: null })
const resource = 'urn:example:agent-api'
const scope = 'agents:read'

describe.each(['RS256', 'EdDSA'] as const)('a service of ten lines and oidc-provider, %s', (algorithm) => {
  let issuer: OidcProviderIssuer
  let other: OidcProviderIssuer
  let here: string
  let guarded: Service
  let good: string

  beforeAll(async () => {
    ;[issuer, other] = await Promise.all([startOidcProvider({ algorithm }), startOidcProvider({ algorithm })])
    ends.push(issuer.close, other.close)
    here = replaced(example, readme.issuer, issuer.issuer)
    guarded = await service(here)
    good = await issuer.clientToken({ resource, scope })
  })

  it('admits a client and a user', async () => {
    const { accessToken } = await issuer.signIn({ resource, scope })
    expect(JSON.parse(Buffer.from(good.split('.')[0] ?? '', 'base64url').toString()).alg).toBe(algorithm)
    expect(await guarded.ask(`Bearer ${good}`)).toMatchObject({ status: 200, said: 'hello machine' })
    expect(await guarded.ask(`Bearer ${accessToken}`)).toMatchObject({ status: 200, said: 'hello user_1' })
  })

  const refused: [what: string, code: string, token: () => Promise<string> | string][] = [
    [
      'a token for another resource',
      'wrong_audience',
      () => issuer.clientToken({ resource: 'urn:example:bill', scope }),
    ],
    ['an ID token', 'wrong_type', async () => (await issuer.signIn({ resource, scope })).idToken],
    ['an opaque access token', 'malformed', () => issuer.clientToken()],
    ["another oidc-provider's token", 'unknown_key', () => other.clientToken({ resource, scope })],
    ['a changed payload', 'bad_signature', () => tampered(good, 1)],
    ['a changed signature', 'bad_signature', () => tampered(good, 2)],
    ['the public key as a secret', 'unsupported_alg', () => signedWithPublicKey(good, issuer.jwksUrl)],
  ]
  it.each(refused)('refuses %s: %s', async (_what, code, token) => {
    expect(await guarded.ask(`Bearer ${await token()}`)).toEqual(invalidToken(code))
  })

  it('refuses what another issuer with the same keys made', async () => {
    const elsewhere = await service(replaced(example, readme.issuer, other.issuer), { jwksUrl: issuer.jwksUrl })
    expect(await elsewhere.ask(`Bearer ${good}`)).toEqual(invalidToken('wrong_issuer'))
  })

  it.each([
    ['an hour later', hour, 'expired'],
    ['an hour before', -hour, 'not_yet_valid'],
  ])('refuses %s', async (_when, shift, code) => {
    const then = await service(here, { clock: clockAt(shift) })
    expect(await then.ask(`Bearer ${good}`)).toEqual(invalidToken(code))
  })

  it('refuses a token without the scope by 403', async () => {
    const unscoped = { status: 403, said: 'insufficient_scope', code: 'insufficient_scope' }
    const writer = await issuer.clientToken({ resource, scope: 'agents:write' })
    expect(await guarded.ask(`Bearer ${writer}`)).toMatchObject(unscoped)
    // oidc-provider leaves `scope` out when none was granted.
    expect(await guarded.ask(`Bearer ${await issuer.clientToken({ resource })}`)).toMatchObject(unscoped)
  })

  it('refuses two tokens by 400, and none by 401', async () => {
    const twice = { status: 400, said: 'invalid_request', code: 'invalid_request' }
    expect(await guarded.ask(`Bearer ${good}`, `Bearer ${good}`)).toMatchObject(twice)
    expect(await guarded.ask()).toMatchObject({ status: 401, said: 'unauthorized', code: 'no_token' })
  })

  it('answers 503 while the issuer is away, not 401', async () => {
    const away = await startOidcProvider({ algorithm })
    await away.close()
    const waiting = await service(replaced(example, readme.issuer, away.issuer))
    const later = { status: 503, said: 'temporarily_unavailable', code: 'keys_unavailable', retryAfter: '5' }
    expect(await waiting.ask(`Bearer ${good}`)).toEqual(later)
  })

  it('needs the profile for what is not EdDSA', async () => {
    const strict = await service(replaced(here, `, ${readme.profile}`, ''))
    const expected = algorithm === 'EdDSA' ? { status: 200, said: 'hello machine' } : invalidToken('unsupported_alg')
    expect(await strict.ask(`Bearer ${good}`)).toMatchObject(expected)
  })
})

describe('a service of ten lines and better-auth', () => {
  let issuer: BetterAuthIssuer
  let here: string
  let guarded: Service
  let good: string

  const exampleFor = (name: string, jwksUrl: string) =>
    replaced(
      replaced(example, readme.issuer, name),
      readme.profile,
      `jwksUrl: '${jwksUrl}', verify: { profile: betterAuth }`,
    )

  beforeAll(async () => {
    issuer = await startBetterAuth()
    ends.push(issuer.close)
    here = exampleFor(issuer.issuer, issuer.jwksUrl)
    guarded = await service(here)
    good = await issuer.userToken()
  })

  it('admits a user', async () => {
    const { sub } = JSON.parse(Buffer.from(good.split('.')[1] ?? '', 'base64url').toString())
    expect(await guarded.ask(`Bearer ${good}`)).toMatchObject({ status: 200, said: `hello ${sub}` })
  })

  const sign = (change: object) => issuer.sign({ sub: 'user_1', iat: inSeconds(0), scope, ...change })
  const refused: [what: string, code: string, token: () => Promise<string> | string][] = [
    ['a token for another audience', 'wrong_audience', () => sign({ aud: 'billing' })],
    ['a token for several audiences', 'bad_claims in claims.aud', () => sign({ aud: ['agent-api', 'billing'] })],
    ['what has the nonce of an ID token', 'wrong_type', () => sign({ nonce: 'n' })],
    ['what has the hash of an ID token', 'wrong_type', () => sign({ at_hash: 'h' })],
    ['a token of nobody', 'bad_claims in claims.sub', () => sign({ sub: undefined })],
    ['a token that does not say since when', 'bad_claims in claims.iat', () => sign({ iat: undefined })],
    ['a token that lives for a day', 'bad_claims in claims.exp', () => sign({ exp: inSeconds(24 * hour) })],
    ['a token that has expired', 'expired', () => sign({ iat: inSeconds(-900), exp: inSeconds(-300) })],
    ['a changed payload', 'bad_signature', () => tampered(good, 1)],
    ['a changed signature', 'bad_signature', () => tampered(good, 2)],
    ['the public key as a secret', 'unsupported_alg', () => signedWithPublicKey(good, issuer.jwksUrl)],
  ]
  it.each(refused)('refuses %s: %s', async (_what, code, token) => {
    expect(await guarded.ask(`Bearer ${await token()}`)).toEqual(invalidToken(code))
  })

  it('refuses what another issuer made', async () => {
    const other = await startBetterAuth()
    ends.push(other.close)
    expect(await guarded.ask(`Bearer ${await other.userToken()}`)).toEqual(invalidToken('unknown_key'))
    const elsewhere = await service(exampleFor(other.issuer, issuer.jwksUrl))
    expect(await elsewhere.ask(`Bearer ${good}`)).toEqual(invalidToken('wrong_issuer'))
  })

  it('refuses it an hour later', async () => {
    const then = await service(here, { clock: clockAt(hour) })
    expect(await then.ask(`Bearer ${good}`)).toEqual(invalidToken('expired'))
  })

  it('refuses a token without the scope by 403', async () => {
    const answer = await guarded.ask(`Bearer ${await sign({ scope: undefined })}`)
    expect(answer).toMatchObject({ status: 403, said: 'insufficient_scope' })
  })

  it('needs the profile, and an address of its keys', async () => {
    const strict = await service(replaced(here, 'profile: betterAuth', ''))
    expect(await strict.ask(`Bearer ${good}`)).toEqual(invalidToken('wrong_type'))
    const undiscovered = await service(replaced(here, `jwksUrl: '${issuer.jwksUrl}', `, ''))
    expect(await undiscovered.ask(`Bearer ${good}`)).toMatchObject({ status: 503, code: 'keys_unavailable' })
  })
})

function inSeconds(seconds: number): number {
  return Math.floor(systemClock.now()) + seconds
}
