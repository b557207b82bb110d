import type { Verifier } from '@countersign/tokens'
import type { PublicHttpAction, RegisteredMutation, RegisteredQuery } from 'convex/server'
import type { PublicKeySet } from '../../auth-config/key-set.ts'
import type { Denied } from '../../denial.ts'
import type { PairingRequest, RunnerPrincipal } from '../../runner/index.ts'
import type { RunnerAction } from './action.ts'
import type { RunnerStep } from './step.ts'

/** Where this deployment is, and where people answer. */
export interface RunnerDeployment {
  /** `CONVEX_CLOUD_URL`: the `iss` of what the deployment signs. */
  readonly cloudUrl: string | undefined
  /** `CONVEX_SITE_URL`, or the domain of your own that serves the HTTP actions: what proofs of runners name. */
  readonly siteUrl: string | undefined
  /** The page on which a signed-in person types the code in. */
  readonly verificationUrl: string
  /** The deployment's JWKS. @default read from `{cloudUrl}/.well-known/jwks.json` and kept in a table */
  readonly keys?: PublicKeySet
}

export interface SessionVerifier extends Verifier {
  close?(): void
}

/** Bounds of what a stranger can have written; tokens and codes are bounded as `createRunnerTokens` says. */
export interface RunnerLimits {
  /** Life of a token, 60 to 900 seconds. @default 600 */
  readonly lifeSeconds?: number
  /** Life of a device code, 60 to 1,800. @default 600 */
  readonly deviceCodeLifeSeconds?: number
  /** Between two polls, 1 to 60. @default 5 */
  readonly intervalSeconds?: number
  /** Pairings that one address may begin in an hour, 1 to 1,000. @default 20 */
  readonly pairingsPerAddress?: number
  /** Pairings that anybody may begin in an hour, 10 to 5,000. @default 500 */
  readonly pairings?: number
}

export interface RunnerRouteOptions<Permission extends string> {
  /** Called when a request comes: Convex loads modules without an environment to see what is in them. */
  readonly deployment: () => RunnerDeployment
  /** The permissions of your roles that a runner may be given, as its scopes. */
  readonly scopes: readonly Permission[]
  /** What a role must allow for answering a pairing, and for ending a runner. */
  readonly permissions: { readonly pair: Permission; readonly end: Permission }
  /** The most seconds since who approves last proved who they are, 60 to 86,400. @default any time */
  readonly stepUpSeconds?: number
  /** Reads sessions that are exchanged: `clerkVerifier(…)`, made for each and closed after it. @default none are exchanged */
  readonly sessions?: () => SessionVerifier
  /** Where the two endpoints answer. @default '/runner' */
  readonly path?: string
  readonly limits?: RunnerLimits
  /** The file in `convex/` that exports {@link Runners.functions}. @default 'runners' */
  readonly module?: string
}

/** A runner as people see it. */
export interface RunnerView {
  runner: string
  name: string
  workspace: string
  /** Who approved it, and with whose role it works unattended. */
  owner: string
  scopes: string[]
  /** The first 8 characters of its key's thumbprint. */
  fingerprint: string
  revoked: boolean
  /** Unix seconds. */
  pairedAt: number
}

/** For the page that answers pairings, and for the list of runners: export all from the file that `module` names. */
export interface RunnerFunctions {
  /** What routes call; internal. */
  readonly step: RegisteredMutation<'internal', { call: RunnerStep }, Promise<unknown>>
  /** What a person has to see before answering. It counts wrong codes, so it is a mutation. */
  readonly lookUp: RegisteredMutation<'public', { code: string }, Promise<PairingRequest | Denied>>
  readonly approve: RegisteredMutation<'public', { code: string; workspace: string }, Promise<RunnerView | Denied>>
  readonly deny: RegisteredMutation<'public', { code: string }, Promise<null | Denied>>
  /** Those of a workspace that the caller sees, the latest 100. */
  readonly list: RegisteredQuery<'public', { workspace: string }, Promise<RunnerView[]>>
  /** Ends every token of a runner at once; it may get new ones. */
  readonly endTokens: RegisteredMutation<'public', { runner: string }, Promise<null | Denied>>
  /** Ends every token of a runner, and its key for good. */
  readonly revoke: RegisteredMutation<'public', { runner: string }, Promise<null | Denied>>
}

export interface Runners<Permission extends string> {
  readonly functions: RunnerFunctions
  /** `POST {path}/device_authorization` and `POST {path}/token`: route it by `pathPrefix`. */
  readonly endpoints: PublicHttpAction
  /** A route for runners. */
  action(definition: RunnerActionDefinition<Permission>): PublicHttpAction
}

export interface RunnerActionDefinition<Permission extends string> {
  /** All of them, in the token, in the runner's approval and in its person's role as it is now. */
  readonly scopes: readonly Permission[]
  /**
   * Runs after the runner was let in. A denial of a function that it calls is answered with 403, or 404 for `not_found`.
   */
  readonly handler: (ctx: RunnerAction, principal: RunnerPrincipal, request: Request) => Promise<Response> | Response
}
