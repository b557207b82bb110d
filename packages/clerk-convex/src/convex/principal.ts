import { AuthError } from '../auth-error.ts'
import type { ClerkClaims } from '../claims.ts'

/** Who calls, as our own tables say. */
export interface UserPrincipal {
  /** The id in our tables: Clerk's user id, or the one that `authIdentities` links the token's subject to. */
  readonly user: string
  /** Who acts in the user's place. */
  readonly actor?: string
  readonly session?: string
}

/** Who calls, and in which organisation. */
export interface OrgPrincipal {
  readonly organization: string
  /** Absent where a job acts in nobody's name. */
  readonly user?: string
  /** Of a job that acts in nobody's name: `nightly-cleanup`. */
  readonly system?: string
  /** Without Clerk's `org:`; from `authMemberships`, never from the claim. */
  readonly role?: string
  readonly permissions: ReadonlySet<string>
  /** The one that the function was called in, checked to be visible. */
  readonly workspace?: string
  readonly actor?: string
  readonly session?: string
  /** The runner that acts for the user, within its scopes and its workspace. */
  readonly runner?: RunnerHold
}

/** What of a runner's token goes on to the functions that it calls; each call compares it with the runner's row. */
export interface RunnerHold {
  id: string
  epoch: number
  /** What the token was for. */
  scopes: string[]
}

/** In whose name an internal or scheduled function runs: it has no identity of its own. */
export interface ExplicitPrincipal {
  organization: string
  /** Its membership and role are looked up when the function runs, not when it was scheduled. */
  user?: string
  /** The name of a job that acts in nobody's name; it is not asked for a permission. Exactly one of the two. */
  system?: string
  /** The runner that acts for `user`: it may do less than they may, and nothing once its tokens are ended. */
  runner?: RunnerHold
}

/** What to hand to an internal or scheduled function that goes on in the caller's name. */
export function explicitPrincipal(principal: OrgPrincipal): ExplicitPrincipal {
  const { organization, user, system, runner } = principal
  if (user !== undefined) return { organization, user, ...(runner === undefined ? {} : { runner }) }
  if (system !== undefined) return { organization, system }
  throw new AuthError('bad_option', 'The principal is neither a user nor a system.')
}

/** A caller before our tables were asked. */
export interface Caller {
  readonly claims: ClerkClaims
  readonly tokenIdentifier: string
}
