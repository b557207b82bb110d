import type { Principal } from '@countersign/tokens'
import type { Context } from './context.ts'
import type { ClientRecord, SessionRecord, UserRecord } from './ports.ts'

/**
 * Whether a token with a good signature still counts, by what is stored at this moment: its own revocation, its session,
 * its client, its subject and their generations. A token without a row was not issued by this store: it does not count.
 */
export async function stillCounts(context: Context, principal: Principal): Promise<boolean> {
  const { tokenId, clientId, subject, generations } = principal
  if (tokenId === undefined || clientId === undefined) return false
  const { stores } = context
  const status = await stores.issued.status(tokenId)
  if (status === undefined || status.revokedAt !== null || status.sessionEndedAt !== null) return false
  if (status.issued.subject !== subject || status.issued.clientId !== clientId) return false
  const [global, client, user] = await Promise.all([
    stores.globalGeneration(),
    stores.clients.byId(clientId),
    subject === clientId ? undefined : stores.users.byId(subject),
  ])
  const holder = subject === clientId ? client : user
  const [ofIssuer = -1, ofClient = -1, ofSubject = -1] = generations
  return ofIssuer >= global && holds(client, ofClient) && holds(holder, ofSubject)
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
