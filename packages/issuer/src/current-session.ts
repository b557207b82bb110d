import { checkOrigin } from './client-auth.ts'
import type { Context } from './context.ts'
import type { ClientRecord, SessionRecord } from './ports.ts'
import { refreshTokenPrefix, sha256 } from './random.ts'
import { refusal } from './refusals.ts'
import { revoking } from './revoking.ts'
import { sessionCounts, stillCounts } from './token-state.ts'
import type { SessionCredential, SessionStatus } from './types.ts'
import type { OwnTokens } from './verify-own.ts'

interface Held {
  readonly session: SessionRecord
  readonly client: ClientRecord
  /** When the credential itself ends. */
  readonly expiresAt: number
  /** A spent refresh token may still end its session, but it speaks for nobody. */
  readonly spent: boolean
}

/**
 * Ends the session of a refresh token or of a signed-in user's access token.
 * @returns false if there was nothing to end
 */
export async function signOut(context: Context, own: OwnTokens, credential: SessionCredential): Promise<boolean> {
  const held = await sessionOf(context, own, credential)
  if (held === undefined || held.session.endedAt !== null) return false
  if (credential.deliveredBy === 'cookie') checkOrigin(held.client, credential)
  const { session } = held
  return revoking(context, { type: 'session', session, reason: 'signed_out' }, { type: 'user', id: session.userId })
}

/** Who is signed in. Nobody is an answer, never an error. */
export async function status(
  context: Context,
  own: OwnTokens,
  credential: SessionCredential | undefined,
): Promise<SessionStatus> {
  const held = credential === undefined ? undefined : await sessionOf(context, own, credential)
  if (held === undefined) return { state: 'signed-out' }
  const { session } = held
  const expiresAt = Math.min(held.expiresAt, session.expiresAt)
  if (held.spent || expiresAt <= context.now() || !(await sessionCounts(context, session)))
    return { state: 'signed-out' }
  return {
    state: 'signed-in',
    subject: session.userId,
    session: session.id,
    clientId: session.clientId,
    signedInAt: session.createdAt,
    expiresAt,
  }
}

/** @throws IssuerError `unauthorized_client` when a browser asks from an origin that is not the client's */
async function sessionOf(context: Context, own: OwnTokens, credential: SessionCredential): Promise<Held | undefined> {
  const found = credential.token.startsWith(refreshTokenPrefix)
    ? await byRefreshToken(context, credential)
    : await byAccessToken(context, own, credential)
  if (found === undefined) return undefined
  const client = await context.stores.clients.byId(found.session.clientId)
  if (client === undefined) return undefined
  if (credential.deliveredBy !== 'header' && client.refreshDelivery !== credential.deliveredBy) {
    throw refusal('refresh_token_misplaced')
  }
  if (client.type === 'public' && credential.origin !== undefined) checkOrigin(client, credential)
  return { ...found, client }
}

async function byRefreshToken(
  context: Context,
  credential: SessionCredential,
): Promise<Omit<Held, 'client'> | undefined> {
  if (credential.deliveredBy === 'header') return undefined
  const found = await context.stores.sessions.byRefresh(sha256(credential.token))
  if (found === undefined) return undefined
  return { session: found.session, expiresAt: found.refresh.expiresAt, spent: found.refresh.spentAt !== null }
}

async function byAccessToken(
  context: Context,
  own: OwnTokens,
  credential: SessionCredential,
): Promise<Omit<Held, 'client'> | undefined> {
  if (credential.deliveredBy !== 'header') return undefined
  const principal = await own.read(credential.token)
  // What it was exchanged for keeps the session that it ends with, and is some service's: to end it is the person's.
  if (principal !== undefined && principal.ancestors.length > 0) return undefined
  if (principal?.session === undefined || !(await stillCounts(context, principal))) return undefined
  const session = await context.stores.sessions.byId(principal.session)
  return session === undefined ? undefined : { session, expiresAt: principal.expiresAt, spent: false }
}
