import type { AuthConfig, AuthProvider, UserIdentity } from 'convex/server'
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
} from 'jose'
import { comparable, type ProviderKeys, providerKeys } from './provider-keys.ts'

/** What Convex says no to. Its own messages are not part of the model. */
export type ConvexTokenFault =
  | 'malformed'
  | 'no_provider'
  | 'several_audiences'
  | 'bad_algorithm'
  | 'missing_claim'
  | 'keys_unavailable'
  | 'unknown_key'
  | 'bad_signature'
  | 'expired'
  | 'not_yet_valid'

export type ConvexIdentityOutcome =
  | { readonly identity: UserIdentity; readonly expiresAt: number }
  | { readonly fault: ConvexTokenFault }

export interface ConvexIdentityOptions {
  /** Asks for discovery documents and key sets; `data:` URIs ask nobody. @default the global one */
  readonly fetch?: typeof globalThis.fetch
  /** Seconds since the Unix epoch. @default the system's clock */
  readonly now?: () => number
}

/** Convex's check of a token, with its cache of keys. */
export interface ConvexTokens {
  check(token: string): Promise<ConvexIdentityOutcome>
}

/** Seconds that a custom JWT is taken beyond its end. */
const leewaySeconds = 5

/**
 * A model of how Convex verifies a token and makes an identity of it, by what its source does: which algorithms, which
 * audience, which claims survive under which names. It has not met a real Convex; its vectors are
 * `test/convex-identity.json`.
 */
export function convexTokens(config: AuthConfig, options: ConvexIdentityOptions = {}): ConvexTokens {
  const { fetch = globalThis.fetch, now = () => Date.now() / 1_000 } = options
  const keys = providerKeys(fetch, now)
  return { check: (token) => checkToken(token, config, keys, now()) }
}

/** {@link convexTokens} once, with an empty cache. */
export function convexIdentity(
  token: string,
  config: AuthConfig,
  options: ConvexIdentityOptions = {},
): Promise<ConvexIdentityOutcome> {
  return convexTokens(config, options).check(token)
}

async function checkToken(
  token: string,
  { providers }: AuthConfig,
  keys: ProviderKeys,
  now: number,
): Promise<ConvexIdentityOutcome> {
  const parts = decode(token)
  if (parts === undefined) return { fault: 'malformed' }
  const { header, payload } = parts
  const audiences = payload.aud === undefined ? [] : [payload.aud].flat()
  // The first that fits is the only one that is asked.
  const provider = providers.find((one) => fits(one, payload.iss, audiences))
  if (provider === undefined) return { fault: 'no_provider' }
  const isOidc = 'domain' in provider
  if (isOidc && audiences.length !== 1) return { fault: 'several_audiences' }
  const algorithms = isOidc ? ['RS256', 'EdDSA'] : [provider.algorithm]
  if (!algorithms.includes(header.alg ?? '')) return { fault: 'bad_algorithm' }
  const isComplete = typeof payload.sub === 'string' && typeof payload.exp === 'number'
  if (!isComplete || (isOidc ? typeof payload.iat !== 'number' : header.kid === undefined))
    return { fault: 'missing_claim' }
  const set = await keys.of(provider, payload.iss ?? '')
  if (set === undefined) return { fault: 'keys_unavailable' }
  const fault = await verify(token, set, algorithms, isOidc, now)
  if (fault !== undefined) return { fault }
  const identity = isOidc ? oidcIdentity(payload) : customIdentity(payload)
  return { identity, expiresAt: payload.exp ?? 0 }
}

function fits(provider: AuthProvider, issuer: string | undefined, audiences: readonly string[]): boolean {
  const { applicationID } = provider
  const own = 'domain' in provider ? provider.domain : provider.issuer
  if (typeof issuer !== 'string' || comparable(own) !== comparable(issuer)) return false
  return applicationID === undefined || audiences.includes(applicationID)
}

async function verify(
  token: string,
  set: JSONWebKeySet,
  algorithms: string[],
  isOidc: boolean,
  now: number,
): Promise<ConvexTokenFault | undefined> {
  try {
    const clockTolerance = isOidc ? 0 : leewaySeconds
    await jwtVerify(token, createLocalJWKSet(set), { algorithms, clockTolerance, currentDate: new Date(now * 1_000) })
    return undefined
  } catch (error) {
    if (error instanceof errors.JWTExpired) return 'expired'
    if (error instanceof errors.JWTClaimValidationFailed) return error.claim === 'nbf' ? 'not_yet_valid' : 'malformed'
    if (error instanceof errors.JWSSignatureVerificationFailed) return 'bad_signature'
    if (error instanceof errors.JWKSNoMatchingKey || error instanceof errors.JWKSMultipleMatchingKeys)
      return 'unknown_key'
    if (error instanceof errors.JOSEError || error instanceof TypeError) return 'malformed'
    throw error
  }
}

function decode(token: string): { header: { alg?: string; kid?: string }; payload: JWTPayload } | undefined {
  try {
    return { header: decodeProtectedHeader(token), payload: decodeJwt(token) }
  } catch {
    // Not a JWT: that is all there is to say.
    return undefined
  }
}

/** Never in an identity, under any provider. */
const dropped = new Set(['iss', 'sub', 'aud', 'exp', 'iat', 'nbf', 'jti', 'fva'])

/** The names of OpenID Connect's claims in an identity. */
const standardNames: Readonly<Record<string, string>> = {
  given_name: 'givenName',
  family_name: 'familyName',
  preferred_username: 'preferredUsername',
  profile: 'profileUrl',
  picture: 'pictureUrl',
  email_verified: 'emailVerified',
  birthdate: 'birthday',
  zoneinfo: 'timezone',
  locale: 'language',
  phone_number: 'phoneNumber',
  phone_number_verified: 'phoneNumberVerified',
  updated_at: 'updatedAt',
}

/** Whether `azp` survives is not known: here it does not, so that nobody comes to rely on it. */
function oidcIdentity(payload: JWTPayload): UserIdentity {
  const claims = Object.entries(payload).filter(([name]) => !dropped.has(name) && name !== 'azp')
  return named(payload, Object.fromEntries(claims.map(([name, value]) => [standardNames[name] ?? name, value])))
}

/** Objects become names with dots in them, and no name is changed. */
function customIdentity(payload: JWTPayload): UserIdentity {
  const claims = Object.entries(payload).filter(([name]) => !dropped.has(name))
  return named(payload, Object.fromEntries(claims.flatMap(([name, value]) => flattened(name, value))))
}

function flattened(name: string, value: unknown): readonly (readonly [string, unknown])[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [[name, value]]
  return Object.entries(value).flatMap(([inner, one]) => flattened(`${name}.${inner}`, one))
}

function named({ iss = '', sub = '' }: JWTPayload, claims: object): UserIdentity {
  return { ...claims, issuer: iss, subject: sub, tokenIdentifier: `${iss}|${sub}` }
}
