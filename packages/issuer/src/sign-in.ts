import { authenticateClient, checkOrigin } from './client-auth.ts'
import type { Context } from './context.ts'
import type { IssuerEvent } from './events.ts'
import { normaliseIdentifier } from './identifier.ts'
import { mint, recordIssue, reportIssue, syntheticClaims, type ToMint } from './mint.ts'
import type { ClientRecord, RefreshRecord, SessionRecord, UserRecord } from './ports.ts'
import { newId, newRefreshToken, sha256 } from './random.ts'
import { refusal } from './refusals.ts'
import { decideTarget, type Granted, narrowToUser } from './target.ts'
import { type AttemptKey, accountKey, countFailure, inAttemptOrder, originKey, refuseBlocked } from './throttle.ts'
import type { SignInRequest, TokenAnswer } from './types.ts'

type Reason = Extract<IssuerEvent, { type: 'sign_in_failed' }>['reason']

/** First-party sign-in: an identifier and a password for a session. Not the password grant (RFC 9700 section 2.4). */
export async function signIn(context: Context, request: SignInRequest): Promise<TokenAnswer> {
  const client = await authenticateClient(context, request)
  if (!client.firstParty || !client.grants.includes('sign_in')) throw refusal('sign_in_not_allowed')
  checkOrigin(client, request)
  const granted = decideTarget(context, client, 'sign-in', request)
  const user = await checkPassword(context, client, request)
  return openSession(context, client, user, narrowToUser(granted, user, request.scope))
}

/** The same answer and the same work for an unknown user, a wrong password and a disabled user. */
async function checkPassword(context: Context, client: ClientRecord, request: SignInRequest): Promise<UserRecord> {
  const identifier = normaliseIdentifier(request.identifier)
  const account = accountKey(identifier ?? '')
  const from = originKey('sign-in', request.address)
  const keys: readonly AttemptKey[] = from === undefined ? [account] : [account, from]
  return inAttemptOrder(context, keys, async () => {
    const failedBefore = await refuseBlocked(context, keys)
    const user = identifier === undefined ? undefined : await context.stores.users.byIdentifier(identifier)
    const right = await context.passwords.verify(user?.passwordHash, request.secret)
    const reason = whyNot(user, right)
    if (reason !== undefined || user === undefined) {
      await countFailure(context, keys)
      context.emit({
        type: 'sign_in_failed',
        reason: reason ?? 'unknown_user',
        clientId: client.id,
        ...(user === undefined ? undefined : { userId: user.id }),
        ...(from === undefined ? undefined : { address: from.counted }),
      })
      throw refusal('sign_in_failed')
    }
    // The address keeps its failures: an account of one's own must not buy more guesses at others'.
    if (failedBefore.has(account.key)) await context.stores.throttle.clear(account.key)
    await rehash(context, user, request.secret)
    return user
  })
}

function whyNot(user: UserRecord | undefined, right: boolean): Reason | undefined {
  if (user === undefined) return 'unknown_user'
  if (!right) return 'wrong_password'
  return user.disabledAt === null ? undefined : 'user_disabled'
}

/** Stronger parameters reach old hashes when their owner comes by; a password of before today's policy stays as it is. */
async function rehash(context: Context, user: UserRecord, password: string): Promise<void> {
  if (!context.passwords.outdated(user.passwordHash)) return
  try {
    const stronger = await context.passwords.hash(password)
    if (await context.stores.users.rehashPassword(user.id, user.passwordHash, stronger)) {
      context.emit({ type: 'password_rehashed' })
    }
  } catch (error) {
    context.emit({ type: 'fault', part: 'store', error })
  }
}

export async function openSession(
  context: Context,
  client: ClientRecord,
  user: UserRecord,
  granted: Granted,
): Promise<TokenAnswer> {
  const { resource, scope } = granted
  const { consumer } = resource
  const now = context.now()
  const global = await context.stores.globalGeneration()
  const session: SessionRecord = {
    id: newId(),
    userId: user.id,
    clientId: client.id,
    audience: consumer.audience,
    scope,
    generations: [global, client.generation, user.generation],
    createdAt: now,
    expiresAt: now + context.limits.refreshAbsoluteSeconds,
    endedAt: null,
    endReason: null,
  }
  const refreshToken =
    client.grants.includes('refresh_token') && consumer.refresh !== 'none' ? newRefreshToken() : undefined
  const refresh: RefreshRecord | null =
    refreshToken === undefined
      ? null
      : {
          hash: sha256(refreshToken),
          sessionId: session.id,
          createdAt: now,
          expiresAt: now + context.limits.refreshIdleSeconds,
          spentAt: null,
        }
  const toMint: ToMint = {
    grant: 'sign_in',
    resource,
    subject: user.id,
    clientId: client.id,
    sessionId: session.id,
    scope,
    generations: session.generations,
    now,
    notAfter: session.expiresAt,
    claims: syntheticClaims(user, client),
  }
  const minted = await mint(context, toMint)
  const [opened] = await Promise.all([
    context.stores.sessions.open({ session, refresh, issued: minted.issued }),
    recordOpening(context, session, 'allowed'),
    recordIssue(context, 'sign_in', minted.issued),
  ])
  if (!opened) {
    await recordOpening(context, session, 'denied')
    context.emit({ type: 'sign_in_failed', reason: 'changed_meanwhile', clientId: client.id, userId: user.id })
    throw refusal('sign_in_failed')
  }
  reportIssue(context, toMint, minted)
  return {
    accessToken: minted.token,
    expiresInSeconds: minted.expiresInSeconds,
    scope,
    audience: consumer.audience,
    subject: user.id,
    sessionId: session.id,
    clientId: client.id,
    refresh:
      refreshToken === undefined || refresh === null
        ? null
        : { token: refreshToken, expiresInSeconds: refresh.expiresAt - now, delivery: client.refreshDelivery },
  }
}

/** `denied`: the password was changed, or somebody disabled, while it was being checked; the store kept nothing. */
function recordOpening(context: Context, session: SessionRecord, outcome: 'allowed' | 'denied'): Promise<void> {
  return context.audit({
    action: 'session.open',
    outcome,
    actor: { type: 'user', id: session.userId },
    target: { type: 'session', id: session.id },
    ...(outcome === 'denied' ? { reason: 'changed_meanwhile' } : undefined),
    details: { client: session.clientId, audience: session.audience, expiresAt: session.expiresAt },
  })
}
