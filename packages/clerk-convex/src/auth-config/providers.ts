import { AuthError } from '../auth-error.ts'
import { type PublicKeySet, toDataUri } from './key-set.ts'

/** A provider whose keys Convex finds by OpenID Connect Discovery. */
export interface OidcProvider {
  domain: string
  applicationID: string
}

/** A provider whose keys Convex is told. Without an audience it would take every token of the issuer: there always is one. */
export interface CustomJwtProvider {
  type: 'customJwt'
  issuer: string
  applicationID: string
  jwks: string
  algorithm: 'RS256' | 'ES256'
}

export interface ClerkProviderOptions {
  /** The Frontend API URL of the instance, exactly as in `iss`: `https://….clerk.accounts.dev`, or your own domain. */
  readonly issuer: string
  /**
   * `'discover'`: Convex asks Clerk for its keys, and cannot verify while Clerk is down and its cache has lapsed.
   * A key set: pinned, works through an outage; a new key of Clerk needs a deployment before Clerk signs with it.
   *
   * @default 'discover'
   */
  readonly jwks?: 'discover' | PublicKeySet
  /** `aud` of the tokens, 1 to 256 characters. @default 'convex', what Clerk's integration and its template write */
  readonly audience?: string
}

/**
 * Clerk, for `providers` of Convex's `auth.config.ts`.
 *
 * @throws AuthError `bad_option`
 */
export function clerkProvider(options: ClerkProviderOptions): OidcProvider | CustomJwtProvider {
  const { issuer, jwks = 'discover', audience = 'convex' } = options
  if (jwks === 'discover') return { domain: readIssuer(issuer), applicationID: readAudience(audience) }
  return pinned(issuer, audience, jwks, 'RS256')
}

export interface LegacyProviderOptions {
  /** Exactly as in `iss`. */
  readonly issuer: string
  readonly audience: string
  /** Convex takes `EdDSA` from OpenID Connect providers only, and RS256 and ES256 by a key set. */
  readonly algorithm: 'RS256' | 'ES256' | 'EdDSA'
  /** `'discover'` needs `/.well-known/openid-configuration` at the issuer and cannot be had for ES256. @default 'discover' */
  readonly jwks?: 'discover' | PublicKeySet
}

/**
 * The issuer that is being left, beside Clerk for as long as both are accepted.
 *
 * @throws AuthError `bad_option`, also for an algorithm that Convex cannot verify in the way asked for
 */
export function legacyProvider(options: LegacyProviderOptions): OidcProvider | CustomJwtProvider {
  const { issuer, audience, algorithm, jwks = 'discover' } = options
  if (!['RS256', 'ES256', 'EdDSA'].includes(algorithm)) return refuse('"algorithm" must be RS256, ES256 or EdDSA.')
  if (jwks === 'discover') {
    if (algorithm === 'ES256') return refuse('Convex verifies ES256 by a key set only: give `jwks`.')
    return { domain: readIssuer(issuer), applicationID: readAudience(audience) }
  }
  if (algorithm === 'EdDSA') return refuse('Convex verifies EdDSA by discovery only: leave `jwks` out.')
  return pinned(issuer, audience, jwks, algorithm)
}

function pinned(issuer: string, audience: string, set: unknown, algorithm: 'RS256' | 'ES256'): CustomJwtProvider {
  return {
    type: 'customJwt',
    issuer: readIssuer(issuer),
    applicationID: readAudience(audience),
    jwks: toDataUri(set, algorithm),
    algorithm,
  }
}

function readIssuer(issuer: unknown): string {
  const url = typeof issuer === 'string' && URL.canParse(issuer) ? new URL(issuer) : undefined
  if (typeof issuer !== 'string' || url === undefined) return refuse('"issuer" must be a URL.')
  const isLoopback = url.protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname)
  if (url.protocol !== 'https:' && !isLoopback) return refuse('"issuer" must be https, or http on loopback.')
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    return refuse('"issuer" must be without credentials, query and fragment.')
  }
  return issuer
}

function readAudience(audience: unknown): string {
  const isGood = typeof audience === 'string' && /^[\x21-\x7e]{1,256}$/.test(audience)
  return isGood ? audience : refuse('"audience" must be 1 to 256 printable characters without spaces.')
}

function refuse(message: string): never {
  throw new AuthError('bad_option', message)
}
