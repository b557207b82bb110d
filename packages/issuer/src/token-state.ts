import type { Principal } from '@countersign/tokens'
import { isClientId, isForeignId, isUserId } from './account-ids.ts'
import type { Context } from './context.ts'
import { foreignParties } from './exchange/foreign-parties.ts'
import type { ClientRecord, IssuerStores, SessionRecord, TokenStatus, UserRecord } from './ports.ts'

/**
 * Whether a token with a good signature still counts, by what is stored at this moment: its own revocation, its session,
 * its client, its subject and their generations. A token without a row was not issued by this store: it does not count.
 */
export async function stillCounts(context: Context, principal: Principal): Promise<boolean> {
  const { tokenId, clientId, subject, generations } = principal
  if (tokenId === undefined || clientId === undefined) return false
  const { stores } = context
  const status = await stores.issued.status(tokenId)
  if (!lives(status)) return false
  if (status.issued.subject !== subject || status.issued.clientId !== clientId) return false
  const [global, client, user] = await Promise.all([
    stores.globalGeneration(),
    stores.clients.byId(clientId),
    subject === clientId || isForeignId(subject) || isClientId(subject) ? undefined : stores.users.byId(subject),
  ])
  const [ofIssuer = -1, ofClient = -1, ofSubject = -1] = generations
  if (ofIssuer < global || !holds(client, ofClient)) return false
  // Whoever exchanged a token for this one keeps the subject: another client, or somebody whom another issuer vouches for.
  const holder = subject === clientId ? client : isClientId(subject) ? await stores.clients.byId(subject) : user
  if (!isForeignId(subject) && !holds(holder, ofSubject)) return false
  const { via = [] } = principal
  const foreign = foreignParties(principal, ofSubject, generations.slice(generations.length - via.length))
  if (foreign.length > 0 && (await stores.issued.foreignEnd(foreign)) !== undefined) return false
  return await parentsCount(context, principal)
}

/** The same of everything that an exchanged token rests on. */
async function parentsCount({ stores }: Context, principal: Principal): Promise<boolean> {
  const { actor, ancestors, generations, via = [] } = principal
  if (actor === undefined && ancestors.length === 0 && via.length === 0) return true
  for (const jti of ancestors) if (!lives(await stores.issued.status(jti))) return false
  let at = 3
  for (let one = actor; one !== undefined; one = one.actor, at += 1) {
    if (!(await partyHolds(stores, one.clientId ?? one.subject, generations[at] ?? -1))) return false
  }
  for (const [index, id] of via.entries()) {
    if (!(await partyHolds(stores, id, generations[at + index] ?? -1))) return false
  }
  return true
}

/** A client, a user, a session or a token; whom another issuer named is looked for apart. */
async function partyHolds(stores: IssuerStores, id: string, generation: number): Promise<boolean> {
  if (isForeignId(id)) return true
  if (isClientId(id)) return holds(await stores.clients.byId(id), generation)
  if (isUserId(id)) return holds(await stores.users.byId(id), generation)
  const [session, status] = await Promise.all([stores.sessions.byId(id), stores.issued.status(id)])
  return (session?.endedAt ?? null) === null && (status === undefined || lives(status))
}

function lives(status: TokenStatus | undefined): status is TokenStatus {
  return status !== undefined && status.revokedAt === null && status.sessionEndedAt === null
}

/** The same for a session that somebody holds a refresh token of. */
export async function sessionCounts(context: Context, session: SessionRecord): Promise<boolean> {
  if (session.endedAt !== null || session.expiresAt <= context.now()) return false
  const { stores } = context
  const [global, client, user] = await Promise.all([
    stores.globalGeneration(),
    stores.clients.byId(session.clientId),
    stores.users.byId(session.userId),
  ])
  const [ofIssuer, ofClient, ofUser] = session.generations
  return ofIssuer >= global && holds(client, ofClient) && holds(user, ofUser)
}

function holds(record: ClientRecord | UserRecord | undefined, generation: number): boolean {
  return record !== undefined && record.disabledAt === null && generation >= record.generation
}
