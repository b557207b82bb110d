import { AuthError } from '../auth-error.ts'

/** What of Convex's `AuthConfig` decides which provider a token falls to. */
export interface AuthConfigShape {
  readonly providers: readonly (
    | { readonly domain: string; readonly applicationID: string }
    | { readonly type: 'customJwt'; readonly issuer: string; readonly applicationID?: string }
  )[]
}

/**
 * Convex takes the first provider whose issuer and audience fit, so a second one with the same pair is never asked, and
 * one without an audience takes those of every other with its issuer.
 *
 * @throws AuthError `overlapping_providers` naming both by their place in the list
 *
 * @example In convex/auth.config.ts
 * export default assertNoOverlap({ providers: [clerkProvider({ issuer }), legacyProvider(legacy)] })
 */
export function assertNoOverlap<Config extends AuthConfigShape>(config: Config): Config {
  const pairs = config.providers.map((provider) => ({
    issuer: normalised('domain' in provider ? provider.domain : provider.issuer),
    audience: provider.applicationID,
  }))
  for (const [later, one] of pairs.entries()) {
    const earlier = pairs.findIndex(
      (other, index) =>
        index < later &&
        other.issuer === one.issuer &&
        (other.audience === one.audience || other.audience === undefined || one.audience === undefined),
    )
    if (earlier === -1) continue
    throw new AuthError('overlapping_providers', `providers.${earlier} and providers.${later} fit the same tokens.`)
  }
  return config
}

/** On the strict side: a slash at the end, a scheme left out and upper case are the same issuer here. */
function normalised(issuer: string): string {
  const url = /^https?:\/\//i.test(issuer) ? issuer : `https://${issuer}`
  return url.toLowerCase().replace(/\/+$/, '')
}
