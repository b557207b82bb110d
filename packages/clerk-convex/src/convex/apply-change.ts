import { type AuthWriter, record } from './audit.ts'
import type { Change, MembershipChange, OrganizationChange, SessionChange, UserChange } from './changes.ts'

export type Standing = 'applied' | 'repeated' | 'late'

/** Milliseconds that a delivery's id is kept: Clerk gives up after about 28 hours. */
const keptMs = 3 * 86_400_000
/** Ids that are forgotten with each delivery, so that no cron is needed. */
const forgottenAtOnce = 10

/** One delivery, in one transaction: seen before, overtaken by a later event, or written down. */
export async function applyChange(
  db: AuthWriter,
  { svixId, change }: { readonly svixId: string; readonly change: Change },
  now: number,
): Promise<Standing> {
  const nowMs = Math.round(now * 1_000)
  const seen = await db
    .query('authWebhooks')
    .withIndex('by_svix_id', (q) => q.eq('svixId', svixId))
    .unique()
  if (seen !== null) return 'repeated'
  await db.insert('authWebhooks', { svixId, receivedAt: nowMs })
  const old = await db
    .query('authWebhooks')
    .withIndex('by_received', (q) => q.lt('receivedAt', nowMs - keptMs))
    .take(forgottenAtOnce)
  for (const { _id } of old) await db.delete(_id)
  switch (change.kind) {
    case 'user':
      return applyUser(db, change)
    case 'organization':
      return applyOrganization(db, change)
    case 'membership':
      return applyMembership(db, change)
    case 'session':
      return applySession(db, change)
  }
}

/** Of two events of the same millisecond, the one that takes away wins; what was deleted never comes back under its id. */
function isLate(
  row: { readonly changedAt: number; readonly state: string } | null,
  change: Change & { readonly state: string },
): boolean {
  if (row === null) return false
  if (row.state === 'deleted') return true
  return change.happenedAt < row.changedAt || (change.happenedAt === row.changedAt && change.state === 'active')
}

async function applyUser(db: AuthWriter, change: UserChange): Promise<Standing> {
  const { user, state, happenedAt: changedAt } = change
  const row = await db
    .query('authUsers')
    .withIndex('by_user', (q) => q.eq('user', user))
    .unique()
  if (isLate(row, change)) return 'late'
  if (row === null) await db.insert('authUsers', { user, state, changedAt })
  else await db.patch(row._id, { state, changedAt })
  return 'applied'
}

async function applyOrganization(db: AuthWriter, change: OrganizationChange): Promise<Standing> {
  const { kind: _kind, happenedAt: changedAt, ...said } = change
  const row = await db
    .query('authOrganizations')
    .withIndex('by_organization', (q) => q.eq('organization', said.organization))
    .unique()
  if (isLate(row, change)) return 'late'
  if (row === null) await db.insert('authOrganizations', { ...said, changedAt })
  else await db.patch(row._id, { ...said, changedAt })
  return 'applied'
}

async function applyMembership(db: AuthWriter, change: MembershipChange): Promise<Standing> {
  const { kind: _kind, happenedAt: changedAt, ...said } = change
  const row = await db
    .query('authMemberships')
    .withIndex('by_organization_user', (q) => q.eq('organization', said.organization).eq('user', said.user))
    .unique()
  if (isLate(row, change)) return 'late'
  if (row === null) await db.insert('authMemberships', { ...said, changedAt })
  else await db.patch(row._id, { ...said, changedAt })
  return 'applied'
}

async function applySession(
  db: AuthWriter,
  { operation, user, session, happenedAt }: SessionChange,
): Promise<Standing> {
  const kind = operation === 'session.created' ? 'authentication' : 'session'
  await record(db, happenedAt / 1_000, { user, session }, { kind, action: operation, outcome: 'allowed' })
  return 'applied'
}
