import type { Auth, GenericDatabaseReader } from 'convex/server'
import { isAuthError } from '../auth-error.ts'
import { parseClerkClaims } from '../claims.ts'
import type { DenialReason } from '../denial.ts'
import type { Setting } from './options.ts'
import type { Caller, ExplicitPrincipal, OrgPrincipal, UserPrincipal } from './principal.ts'
import { findRunner } from './runner/find-runner.ts'
import type { RunnerDataModel } from './runner/tables.ts'

/** With the tables of runners, which are asked for runners only. */
export type AuthReader = GenericDatabaseReader<RunnerDataModel>

/** As far as the caller is known when it is denied, for the audit row. */
export interface Known {
  readonly user?: string
  readonly actor?: string
  readonly session?: string
  readonly organization?: string
  readonly workspace?: string
  /** The id of the runner that acts for the user. */
  readonly runner?: string
}

export type Outcome<Principal> =
  | { readonly principal: Principal; readonly known: Known }
  | { readonly reason: DenialReason; readonly known: Known }

/** What a function asks of a caller in an organisation. */
export interface Demand {
  readonly permission?: string
  /** The workspace that the call is made in. */
  readonly workspace?: string
}

/** Reads the identity that Convex has verified; nothing else of a request says who calls. */
export async function readCaller(auth: Auth): Promise<Caller | DenialReason> {
  const identity = await auth.getUserIdentity()
  if (identity === null) return 'signed_out'
  try {
    const claims = parseClerkClaims(identity)
    return claims.status === 'pending' ? 'pending_session' : { claims, tokenIdentifier: identity.tokenIdentifier }
  } catch (error) {
    // A token of an accepted issuer that says nothing understandable signs nobody in.
    if (isAuthError(error)) return 'signed_out'
    throw error
  }
}

export async function admitUser(auth: Auth, db: AuthReader, setting: Setting): Promise<Outcome<UserPrincipal>> {
  const caller = await readCaller(auth)
  if (typeof caller === 'string') return { reason: caller, known: {} }
  const { session, actor } = caller.claims
  const user = await findUser(caller, db, setting)
  const known: Known = { ...present('session', session), ...present('actor', actor), ...present('user', user) }
  if (user === undefined || !(await isActive(user, db))) return { reason: 'unknown_user', known }
  return { principal: Object.freeze({ ...known, user }), known }
}

/** The organisation is the one that the session has chosen; what the caller may do there is for our tables to say. */
export async function admitMember(
  auth: Auth,
  db: AuthReader,
  setting: Setting,
  demand: Demand,
): Promise<Outcome<OrgPrincipal>> {
  const outcome = await admitUser(auth, db, setting)
  if (!('principal' in outcome)) return outcome
  const caller = await readCaller(auth)
  const organization = typeof caller === 'string' ? undefined : caller.claims.organization?.id
  if (organization === undefined) return { reason: 'no_organization', known: outcome.known }
  return inOrganization({ ...outcome.principal, organization }, db, setting, demand)
}

/** For internal and scheduled functions, which have no identity. */
export async function admitExplicit(
  { organization, user, system, runner }: ExplicitPrincipal,
  db: AuthReader,
  setting: Setting,
  demand: Demand,
): Promise<Outcome<OrgPrincipal>> {
  if (runner !== undefined) return admitRunner({ organization, user: user ?? '', runner }, db, setting, demand)
  if (user !== undefined && system === undefined) {
    const known = { organization, user }
    return (await isActive(user, db)) ? inOrganization(known, db, setting, demand) : { reason: 'unknown_user', known }
  }
  const known = { organization, ...present('workspace', demand.workspace) }
  if (user !== undefined || system === undefined || !(await isOpen(organization, db))) {
    return { reason: 'not_a_member', known }
  }
  return { principal: Object.freeze({ ...known, system, permissions: new Set<string>() }), known }
}

/** In a runner's name: its row as it is now, its workspace, and what of its person's role it was given. */
async function admitRunner(
  { organization, user, runner }: Required<Omit<ExplicitPrincipal, 'system'>>,
  db: AuthReader,
  setting: Setting,
  { workspace, permission }: Demand,
): Promise<Outcome<OrgPrincipal>> {
  const known: Known = { organization, user, runner: runner.id, ...present('workspace', workspace) }
  const row = await findRunner(db, runner.id)
  const lives = row?.organization === organization && !row.revoked && row.epoch === runner.epoch
  if (row === null || !lives) return { reason: 'runner_ended', known }
  if ((workspace ?? row.workspace) !== row.workspace) return { reason: 'workspace_hidden', known }
  if (!(await isActive(user, db))) return { reason: 'unknown_user', known }
  const outcome = await inOrganization({ organization, user }, db, setting, { workspace: row.workspace })
  if (!('principal' in outcome)) return { ...outcome, known }
  const { principal } = outcome
  const given = new Set([...principal.permissions].filter((one) => isGiven(one, [runner, row])))
  const now = { ...known, workspace: row.workspace }
  if (permission !== undefined && !given.has(permission)) return { reason: 'missing_permission', known: now }
  return { principal: Object.freeze({ ...principal, permissions: given, runner }), known: now }
}

function isGiven(permission: string, limits: readonly { readonly scopes: readonly string[] }[]): boolean {
  return limits.every(({ scopes }) => scopes.includes(permission))
}

async function inOrganization(
  who: UserPrincipal & { readonly organization: string },
  db: AuthReader,
  setting: Setting,
  { permission, workspace }: Demand,
): Promise<Outcome<OrgPrincipal>> {
  const known: Omit<Known, 'runner'> = { ...who, ...present('workspace', workspace) }
  const membership = await db
    .query('authMemberships')
    .withIndex('by_organization_user', (q) => q.eq('organization', who.organization).eq('user', who.user))
    .unique()
  const isMember = membership?.state === 'active' && (await isOpen(who.organization, db))
  if (membership === null || !isMember) return { reason: 'not_a_member', known }
  const permissions = setting.roles.get(membership.role) ?? new Set<string>()
  const principal: OrgPrincipal = Object.freeze({
    ...known,
    organization: who.organization,
    role: membership.role,
    permissions,
  })
  if (workspace !== undefined && !(await seesWorkspace(principal, workspace, db))) {
    return { reason: 'workspace_hidden', known }
  }
  if (permission !== undefined && !permissions.has(permission)) return { reason: 'missing_permission', known }
  return { principal, known }
}

/** A workspace without a row is seen by nobody. A job in nobody's name sees all of its organisation's. */
export async function seesWorkspace(
  { organization, user, system }: OrgPrincipal,
  workspace: string,
  db: AuthReader,
): Promise<boolean> {
  const row = await db
    .query('authWorkspaces')
    .withIndex('by_workspace', (q) => q.eq('organization', organization).eq('workspace', workspace))
    .unique()
  if (row === null) return false
  if (row.visibility === 'organization' || system !== undefined) return true
  if (user === undefined) return false
  const member = await db
    .query('authWorkspaceMembers')
    .withIndex('by_workspace_user', (q) =>
      q.eq('organization', organization).eq('workspace', workspace).eq('user', user),
    )
    .unique()
  return member !== null
}

async function findUser(
  { claims, tokenIdentifier }: Caller,
  db: AuthReader,
  setting: Setting,
): Promise<string | undefined> {
  if (claims.issuer === setting.clerkIssuer) return claims.subject
  const link = await db
    .query('authIdentities')
    .withIndex('by_token', (q) => q.eq('tokenIdentifier', tokenIdentifier))
    .unique()
  return link?.user
}

async function isActive(user: string, db: AuthReader): Promise<boolean> {
  const row = await db
    .query('authUsers')
    .withIndex('by_user', (q) => q.eq('user', user))
    .unique()
  return row === null || row.state === 'active'
}

async function isOpen(organization: string, db: AuthReader): Promise<boolean> {
  const row = await db
    .query('authOrganizations')
    .withIndex('by_organization', (q) => q.eq('organization', organization))
    .unique()
  return row === null || row.state === 'active'
}

function present<Name extends string>(name: Name, value: string | undefined): { readonly [Key in Name]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { readonly [Key in Name]: string })
}
