import { type Principal, systemClock, TokenRejected, type Verifier } from '@countersign/tokens'
import { openKeys } from './keys.ts'
import { machineJwtVerifier } from './machine-jwt.ts'
import { opaqueVerifier } from './opaque-tokens.ts'
import { type ClerkVerifierOptions, resolveNumbers } from './options.ts'
import { type JwtVerifier, type SessionRules, sessionVerifier } from './session-verifier.ts'
import { unverifiedClaim } from './unverified-claims.ts'

/** A {@link Verifier} for Clerk's tokens: give it to `createGuard({ verifier })`. */
export interface ClerkVerifier extends Verifier {
  recall(token: string): Principal | undefined
  /** True while Clerk's JWKS cannot be read and keys of an earlier reading are in use; never with pinned keys. */
  readonly degraded: boolean
  /** Ends reading the JWKS. Keys in memory are used until their age. */
  close(): void
}

/**
 * Verifies Clerk's sessions, and tokens of machines if asked to. Sessions need no network but for the instance's JWKS,
 * and none at all with pinned keys.
 *
 * A token has to pass two verifiers, ours and Clerk's own. Over Clerk's own: `iss` is compared, `aud` has to be there
 * where an audience is asked for, pending sessions and JWTs of another class are refused, and key ids that Clerk does
 * not have cost at most two requests and one for each 30 s, however many come.
 *
 * @throws AuthError `bad_option`; TokensError for an issuer or keys that cannot be used
 *
 * @example
 * const verifier = clerkVerifier({ issuer: 'https://clerk.example.com', authorizedParties: ['https://app.example.com'] })
 * const guard = createGuard({ verifier })
 */
export function clerkVerifier(options: ClerkVerifierOptions): ClerkVerifier {
  const numbers = resolveNumbers(options)
  const { issuer, audience, authorizedParties, scopes, machines, clock = systemClock, onEvent } = options
  const keys = openKeys(options, clock)
  const rules: SessionRules = {
    issuer,
    keys: keys.source,
    clock,
    toleranceSeconds: numbers.clockToleranceSeconds,
    maxLifeSeconds: numbers.maxLifeSeconds,
    ...(audience === undefined ? {} : { audience }),
    ...(authorizedParties === undefined ? {} : { authorizedParties }),
    ...(scopes === undefined ? {} : { scopes }),
  }
  const sessions = sessionVerifier(rules)
  const machineAudience = machines?.audience ?? audience
  const machineJwts =
    machines?.kinds.includes('m2m_jwt') && machineAudience !== undefined
      ? machineJwtVerifier(machineAudience, rules)
      : undefined
  const opaque =
    machines === undefined
      ? undefined
      : opaqueVerifier({ issuer, audience: machineAudience, machines, clock, onEvent, ...numbers })

  /** The one verifier that a JWT is for; it reads everything again. */
  const choose = (token: string): JwtVerifier =>
    machineJwts !== undefined && unverifiedClaim(token, 'sub')?.startsWith('mch_') === true ? machineJwts : sessions

  return {
    async verify(token) {
      if (typeof token !== 'string' || token === '') throw new TokenRejected('no_token', 'There is no token.')
      return opaque?.knows(token) === true ? opaque.verify(token) : choose(token).verify(token)
    },
    recall: (token) => sessions.recall(token) ?? machineJwts?.recall(token),
    get degraded() {
      return keys.isDegraded()
    },
    close: () => keys.close(),
  }
}
