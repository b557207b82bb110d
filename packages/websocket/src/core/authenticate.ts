import type { Decision } from '@countersign/guard'
import type { Principal } from '@countersign/tokens'
import type { AuthOkFrame } from '../frames.ts'
import { closeReasonOf, resultOf } from './denial.ts'
import { callGuarded, deliver } from './dispatch.ts'
import type { Sparse } from './error-frame.ts'
import type { AuthFailure } from './events.ts'
import { isSameIdentity } from './identity.ts'
import { plan } from './plan.ts'
import { refreshInMs } from './refresh.ts'
import { send, sendError } from './send.ts'
import type { Session, Verification } from './session.ts'
import { stopSubscriptions } from './subscriptions.ts'
import { unavailableRetryMs } from './unavailable.ts'

/** Has a token verified, the first one or a later one. Resolves when it is decided, or no longer waited for. */
export async function authenticate<Scope extends string>(
  session: Session<Scope>,
  token: string,
  id: string | undefined,
): Promise<void> {
  const { core } = session
  const verification: Verification = { id, startMs: core.schedule.nowMs() }
  session.verification = verification
  plan(session)
  let decision: Decision
  try {
    decision = await core.admit(token)
  } catch (cause) {
    if (isWaitingFor(session, verification)) undecided(session, 'fault', verification, cause)
    return
  }
  if (!isWaitingFor(session, verification)) return
  if (session.state === 'ready') decidedAgain(session, decision, id)
  else decided(session, decision, verification)
}

/** Another token on a connection that is authenticated: one at a time, and not too often. */
export function authenticateAgain<Scope extends string>(
  session: Session<Scope>,
  token: string,
  id: string | undefined,
): void {
  const leftMs = session.reauthFromMs - session.core.schedule.nowMs()
  if (session.verification !== undefined) session.end('second_auth')
  else if (leftMs <= 0) void authenticate(session, token, id)
  else {
    reportReauth(session, 'denied', 'too_soon')
    sendError(session, id, 'too_soon', 'backoff', leftMs)
  }
}

function isWaitingFor<Scope extends string>(session: Session<Scope>, verification: Verification): boolean {
  if (verification !== session.verification) return false
  session.verification = undefined
  return session.state === 'verifying' || session.state === 'ready'
}

function decided<Scope extends string>(session: Session<Scope>, decision: Decision, { id, startMs }: Verification) {
  const { core, sid } = session
  const durationMs = core.schedule.nowMs() - startMs
  if (!decision.admitted) {
    const { code } = decision
    core.report({ type: 'auth', sid, result: resultOf(code), reason: code, durationMs })
    return session.end(closeReasonOf(code), decision.retryAfterSeconds)
  }
  const { principal } = decision
  if (!core.takePlace(principal)) {
    core.report({ type: 'auth', sid, result: 'denied', reason: 'connection_limit', durationMs })
    return session.end('connection_limit')
  }
  session.principal = principal
  // Watched first and looked at after: what was revoked in between is seen by one of the two.
  if (!session.watch(principal)) return
  if (!core.permits(principal)) return session.principalIsOver()
  core.report({ type: 'auth', sid, result: 'ok', durationMs })
  becomeReady(session, principal, id)
}

function becomeReady<Scope extends string>(session: Session<Scope>, principal: Principal, id: string | undefined) {
  const { core } = session
  core.noLongerPending(session)
  session.enter('ready')
  session.transport.liftBudget()
  session.pingDueMs = core.schedule.nowMs() + core.limits.pingMs
  accept(session, principal, id)
  for (const call of core.onConnection) callGuarded(session, () => call(session.connection))
  const { extras } = session
  if (extras?.firstFrame === undefined) return
  const first = extras.firstFrame
  // It holds the token: nobody keeps it for as long as the connection lives.
  extras.firstFrame = undefined
  if (session.state === 'ready') deliver(session, first)
}

/** Answers a token that was taken, the first or a later one. */
function accept<Scope extends string>(session: Session<Scope>, principal: Principal, id: string | undefined) {
  const { core, isOurs, speaksControl } = session
  const { clock, random, refresh } = core.options
  const { pingMs, pongMs, reauthSeconds } = core.limits
  const now = clock.now()
  const nowMs = core.schedule.nowMs()
  const refreshAtMs = refresh(principal) ? refreshInMs(principal, now, random) : undefined
  session.expiresMs = nowMs + Math.ceil((principal.expiresAt - now) * 1000)
  session.reauthFromMs = nowMs + reauthSeconds * 1000
  session.refreshDueMs = speaksControl && refreshAtMs !== undefined ? nowMs + refreshAtMs : 0
  plan(session)
  if (!isOurs) return
  const ok: Sparse<Required<AuthOkFrame>> = {
    type: 'auth.ok',
    id,
    sid: session.sid,
    exp: principal.expiresAt,
    now: Math.floor(now),
    refreshAtMs,
    pingMs: speaksControl ? pingMs : undefined,
    pongMs: speaksControl ? pongMs : undefined,
    scopes: [...principal.scopes],
  }
  send(session, ok)
}

function decidedAgain<Scope extends string>(session: Session<Scope>, decision: Decision, id: string | undefined) {
  const { core, principal: before } = session
  plan(session)
  if (!decision.admitted) {
    const { code } = decision
    reportReauth(session, resultOf(code), code)
    const isUndecided = decision.retryAfterSeconds !== undefined
    return isUndecided
      ? sendError(session, id, closeReasonOf(code), 'backoff', unavailableRetryMs)
      : sendError(session, id, closeReasonOf(code), 'new_token')
  }
  const { principal } = decision
  if (before === undefined || !isSameIdentity(before, principal)) {
    reportReauth(session, 'denied', 'identity_mismatch')
    return session.end('identity_mismatch')
  }
  if (principal.expiresAt <= before.expiresAt) {
    reportReauth(session, 'denied', 'not_later')
    return sendError(session, id, 'not_later', 'new_token')
  }
  session.principal = principal
  if (!session.watch(principal)) return
  if (!core.permits(principal)) return session.principalIsOver()
  core.report({ type: 'reauth', sid: session.sid, result: 'ok' })
  accept(session, principal, id)
  stopSubscriptions(session, (scopes) => !core.permits(principal, scopes as readonly Scope[]))
}

/** Nobody can say: a fault, or no answer in time. Who is connected stays so until the token ends. */
export function undecided<Scope extends string>(
  session: Session<Scope>,
  reason: 'fault' | 'verify_timeout',
  { id, startMs }: Verification,
  cause?: unknown,
): void {
  const { core, sid } = session
  const why = { result: 'error', reason, ...(cause === undefined ? {} : { cause }) } as const
  if (session.state === 'ready') {
    core.report({ type: 'reauth', sid, ...why })
    sendError(session, id, 'unavailable', 'backoff', unavailableRetryMs)
  } else {
    core.report({ type: 'auth', sid, ...why, durationMs: core.schedule.nowMs() - startMs })
    session.end('unavailable')
  }
}

function reportReauth<Scope extends string>(
  { core, sid }: Session<Scope>,
  result: 'denied' | 'error',
  reason: AuthFailure,
) {
  core.report({ type: 'reauth', sid, result, reason })
}
