import { authenticateClient, checkOrigin } from './client-auth.ts'
import type { Context, Resource } from './context.ts'
import { mint, recordIssue, reportIssue, syntheticClaims, type ToMint } from './mint.ts'
import type { ClientRecord, Generations, RefreshRecord, SessionRecord } from './ports.ts'
import { refreshTokenPrefix, sha256 } from './random.ts'
import { newSalt, replaySeconds, successorOf } from './refresh-replay.ts'
import { refusal } from './refusals.ts'
import { revokingAtOnce } from './revoking.ts'
import { isAllowed, namedResource, parseScope, usable } from './target.ts'
import type { RefreshRequest, TokenAnswer } from './types.ts'

/**
 * RFC 6749 section 6 with RFC 9700 section 4.14.2: a refresh token is good for one use. A spent one that comes again ends
 * the session with everything that came of it, since one of the two users of that token is not its owner. Except that
 * whose answer was lost may ask again: the immediately previous token, from the same client, within 10 s and before the
 * successor was used, gets that same successor.
 */
export async function refresh(context: Context, request: RefreshRequest): Promise<TokenAnswer> {
  const client = await authenticateClient(context, request)
  if (!client.grants.includes('refresh_token')) throw refusal('grant_not_allowed')
  if (client.refreshDelivery !== request.deliveredBy) throw refusal('refresh_token_misplaced')
  if (client.type === 'public') checkOrigin(client, request)
  if (!request.refreshToken.startsWith(refreshTokenPrefix)) throw refusal('refresh_failed')
  const presentedHash = sha256(request.refreshToken)
  const found = await context.stores.sessions.byRefresh(presentedHash)
  if (found === undefined) throw refusal('refresh_failed')
  const { session } = found
  const now = context.now()
  if (session.endedAt !== null) throw refusal('refresh_failed')
  const isRepeat = found.refresh.spentAt !== null && session.clientId === client.id && (found.replayUntil ?? 0) > now
  if (found.refresh.spentAt !== null && !isRepeat) return reuse(context, client, found.refresh, session)
  const alive = session.expiresAt > now && (isRepeat || found.refresh.expiresAt > now)
  if (session.clientId !== client.id || !alive) throw refusal('refresh_failed')
  const { user } = found
  if (user.disabledAt !== null) throw refusal('refresh_failed')
  const generations: Generations = [found.globalGeneration, client.generation, user.generation]
  // The store decides so again when it rotates; here, so that nothing is signed and recorded that it will refuse.
  if (session.generations.some((openedUnder, i) => openedUnder < (generations[i] ?? 0))) throw refusal('refresh_failed')
  const resource = sameTarget(context, client, session, request)
  const scope = shrink(client, resource, await heldScopes(context, session, resource), request.scope)

  const salt = newSalt()
  const given = successorOf(request.refreshToken, session.id, salt)
  const successor: RefreshRecord = {
    hash: sha256(given),
    sessionId: session.id,
    createdAt: now,
    expiresAt: Math.min(now + context.limits.refreshIdleSeconds, session.expiresAt),
    spentAt: null,
  }
  const toMint: ToMint = {
    grant: 'refresh_token',
    resource,
    subject: user.id,
    clientId: client.id,
    sessionId: session.id,
    scope,
    generations,
    now,
    notAfter: session.expiresAt,
    claims: syntheticClaims(user, client),
  }
  const minted = await mint(context, toMint)
  // Recorded before the presented token is spent: if the log is down, the client still holds a good token.
  await Promise.all([
    context.audit({
      action: 'session.refresh',
      outcome: 'allowed',
      actor: { type: 'user', id: user.id },
      target: { type: 'session', id: session.id },
      details: { client: client.id, jti: minted.issued.jti },
    }),
    recordIssue(context, 'refresh_token', minted.issued),
  ])
  const outcome = await context.stores.sessions.rotate({
    presentedHash,
    successor,
    issued: minted.issued,
    now,
    replay: { sealed: salt, until: now + replaySeconds },
  })
  if (outcome === 'invalid') throw refusal('refresh_failed')
  if (outcome === 'spent') {
    return reuse(context, client, { ...found.refresh, spentAt: found.refresh.spentAt ?? now }, session)
  }
  const next =
    outcome === 'rotated'
      ? { token: given, expiresAt: successor.expiresAt }
      : await madeBefore(context, request.refreshToken, session, outcome.replayed)
  if (outcome !== 'rotated') context.emit({ type: 'refresh_replayed', sessionId: session.id, clientId: client.id })
  reportIssue(context, toMint, minted)
  return {
    accessToken: minted.token,
    expiresInSeconds: minted.expiresInSeconds,
    scope,
    audience: resource.consumer.audience,
    subject: user.id,
    sessionId: session.id,
    clientId: client.id,
    refresh: { token: next.token, expiresInSeconds: next.expiresAt - now, delivery: client.refreshDelivery },
  }
}

/** The successor that the presented token has been given already. */
async function madeBefore(
  context: Context,
  presented: string,
  session: SessionRecord,
  salt: string,
): Promise<{ readonly token: string; readonly expiresAt: number }> {
  const token = successorOf(presented, session.id, salt)
  const stored = await context.stores.sessions.byRefresh(sha256(token))
  if (stored?.session.id !== session.id) throw new Error('the salt of a repeated refresh makes no token of its session')
  return { token, expiresAt: stored.refresh.expiresAt }
}

/** A token of the session stays with the session's audience. @throws IssuerError `invalid_target` */
function sameTarget(context: Context, client: ClientRecord, session: SessionRecord, request: RefreshRequest): Resource {
  const resource = usable(client, context.resources.get(session.audience))
  const named = namedResource(context, request)
  if (named !== undefined && named !== resource) throw refusal('audience_unknown')
  return resource
}

/** The matrix may have begun since to give one by name alone: who was not named has it no longer. */
async function heldScopes(
  { stores }: Context,
  { scope, userId }: SessionRecord,
  { byName }: Resource,
): Promise<readonly string[]> {
  const held = scope === '' ? [] : scope.split(' ')
  if (!held.some((one) => byName.has(one))) return held
  const named = (await stores.users.byId(userId))?.scopes ?? []
  return held.filter((one) => !byName.has(one) || named.includes(one))
}

/** What the session was granted, as far as the client is still allowed it; a request may ask for less. */
function shrink(
  client: ClientRecord,
  resource: Resource,
  granted: readonly string[],
  requested: string | undefined,
): string {
  const allowed = granted.filter((scope) => isAllowed(client, resource, scope))
  if (requested === undefined) return allowed.join(' ')
  const wanted = [...parseScope(requested)]
  if (!wanted.every((scope) => allowed.includes(scope))) throw refusal('scope_grown')
  return wanted.join(' ')
}

/** Ends the session even when the log cannot be written, and records even when the store fails; then says which failed. */
async function reuse(
  context: Context,
  client: ClientRecord,
  spent: RefreshRecord,
  session: SessionRecord,
): Promise<never> {
  const usedAgainAt = context.now()
  const firstUsedAt = spent.spentAt ?? usedAgainAt
  const done = await Promise.allSettled([
    revokingAtOnce(context, { type: 'session', session, reason: 'refresh_reused' }, { type: 'system' }),
    context.audit({
      action: 'refresh.reuse',
      outcome: 'denied',
      actor: { type: 'client', id: client.id },
      target: { type: 'session', id: session.id },
      reason: 'refresh_reused',
      details: { issuedTo: session.clientId, issuedAt: spent.createdAt, firstUsedAt, usedAgainAt },
    }),
  ])
  context.emit({
    type: 'refresh_reused',
    sessionId: session.id,
    clientId: session.clientId,
    presentedBy: client.id,
    firstUsedAt,
    usedAgainAt,
  })
  for (const part of done) if (part.status === 'rejected') throw part.reason
  throw refusal('refresh_failed')
}
