import {
  type Clock,
  clerk,
  createVerifier,
  formatScope,
  isTokensError,
  type KeySource,
  type Principal,
  type Profile,
  TokenRejected,
  type TokenVerifier,
} from '@countersign/tokens'
import { isAuthError } from '../auth-error.ts'
import { type ClerkClaims, machinePrefix, parseClerkClaims } from '../claims.ts'
import { askClerk, type ClerkRules } from './clerk-check.ts'
import { unverifiedClaim } from './unverified-claims.ts'

/** A verifier of one kind of JWT that can answer at once for what it accepted before. */
export interface JwtVerifier {
  verify(token: string): Promise<Principal>
  recall(token: string): Principal | undefined
}

export interface SessionRules {
  readonly issuer: string
  readonly keys: KeySource
  readonly audience?: string
  readonly authorizedParties?: readonly string[]
  readonly scopes?: (claims: ClerkClaims) => readonly string[]
  readonly toleranceSeconds: number
  readonly maxLifeSeconds: number
  readonly clock: Clock
}

/** Sessions with an audience of their own: `aud` must be there, as `azp` is checked apart. */
const withAudience: Profile = Object.freeze<Profile>({ ...clerk, name: 'clerk-audience', audience: 'aud-or-list' })

/**
 * Ours first, for the strict shape, the key by its id, `iss`, `aud` or `azp`, `sts` and the times; then Clerk's own. Only
 * what both accept is remembered.
 */
export function sessionVerifier(rules: SessionRules): JwtVerifier {
  const { audience, authorizedParties = [], issuer, keys, clock } = rules
  const make = (expected: string, profile: Profile): TokenVerifier =>
    createVerifier({
      issuer,
      keys,
      profile,
      clock,
      audience: expected,
      clockToleranceSeconds: rules.toleranceSeconds,
      maxLifeSeconds: rules.maxLifeSeconds,
    })
  // Without an audience it is the site that the token was made for, and there may be several.
  const verifiers = new Map<string | undefined, TokenVerifier>(
    audience === undefined
      ? authorizedParties.map((party) => [party, make(party, clerk)])
      : [[undefined, make(audience, withAudience)]],
  )
  const [first] = verifiers.values()
  const choose = (token: string): TokenVerifier | undefined =>
    verifiers.size === 1 ? first : (verifiers.get(unverifiedClaim(token, 'azp')) ?? first)
  const clerkRules: ClerkRules = {
    issuer,
    clock,
    toleranceSeconds: rules.toleranceSeconds,
    categories: audience === undefined ? ['session'] : ['session', 'template'],
    ...(audience === undefined ? {} : { audience }),
    ...(rules.authorizedParties === undefined ? {} : { authorizedParties }),
  }
  /** By what ours made of a token, as long as that remembers it: what both accepted. */
  const accepted = new WeakMap<Principal, Principal>()

  return {
    async verify(token) {
      const principal = await choose(token)?.verify(token)
      if (principal === undefined) throw new TokenRejected('wrong_audience', 'No site is accepted.')
      const known = accepted.get(principal)
      if (known !== undefined) return known
      const key = keys.get(principal.keyId)
      if (key === undefined) throw new TokenRejected('unknown_key', 'The key was withdrawn.', { where: 'header.kid' })
      checkParty(principal, rules.authorizedParties)
      if (principal.subject.startsWith(machinePrefix)) {
        throw new TokenRejected('wrong_type', 'The token is that of a machine.', { where: 'claims.sub' })
      }
      const claims = readClaims(principal)
      if (audience === undefined && claims.session === undefined) {
        throw new TokenRejected('wrong_type', 'The token is not that of a session.', { where: 'claims.sid' })
      }
      await askClerk(token, key, clerkRules)
      const whole = complete(principal, claims, rules.scopes)
      accepted.set(principal, whole)
      return whole
    },
    recall(token) {
      for (const verifier of verifiers.values()) {
        const principal = verifier.recall?.(token)
        if (principal !== undefined) return accepted.get(principal)
      }
      return undefined
    },
  }
}

function checkParty({ claims }: Principal, parties: readonly string[] | undefined): void {
  if (parties === undefined || (typeof claims.azp === 'string' && parties.includes(claims.azp))) return
  throw new TokenRejected('wrong_audience', 'The token was made for another site.', {
    where: 'claims.azp',
    setting: 'authorizedParties',
  })
}

function readClaims({ claims }: Principal): ClerkClaims {
  try {
    const read = parseClerkClaims(claims)
    if (read.status === 'active') return read
  } catch (cause) {
    if (!isAuthError(cause)) throw cause
    throw new TokenRejected('bad_claims', cause.message, { where: 'claims', cause })
  }
  throw new TokenRejected('bad_claims', 'The session still has tasks: nobody is signed in by it.', {
    where: 'claims.sts',
  })
}

/** Adds what the profile cannot read: an organisation spelt in version 1, and the scopes. */
function complete(principal: Principal, claims: ClerkClaims, scopes: SessionRules['scopes']): Principal {
  const { organization } = claims
  const granted = scopes === undefined ? undefined : readScopes(scopes(claims))
  return Object.freeze({
    ...principal,
    ...(organization === undefined ? {} : { organization: organization.id }),
    ...(granted === undefined ? {} : { scopes: granted }),
  })
}

function readScopes(list: readonly string[]): ReadonlySet<string> {
  try {
    // One that has a space in it would be two.
    formatScope(list)
    return new Set(list)
  } catch (cause) {
    if (!isTokensError(cause)) throw cause
    throw new TokenRejected('bad_claims', 'The scopes of the session are not scopes.', { where: 'claims', cause })
  }
}
