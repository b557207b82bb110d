import type { Retry } from '../close-codes.ts'
import type { RefreshReason } from '../frames.ts'
import { errorFrame } from './error-frame.ts'
import { plan } from './plan.ts'
import type { Session } from './session.ts'

/** False, and nothing is sent, once the principal has ended or the socket is closing. */
export function sendFrame<Scope extends string>(session: Session<Scope>, frame: string | Uint8Array): boolean {
  const { core, principal } = session
  if (session.state !== 'ready' || principal === undefined) return false
  if (!core.permits(principal)) {
    session.principalIsOver()
    return false
  }
  session.transport.sendFrame(frame)
  lookAtBuffer(session)
  return session.state === 'ready'
}

export function send<Scope extends string>(session: Session<Scope>, frame: object): boolean {
  return session.state === 'ready' && sendFrame(session, JSON.stringify(frame))
}

export function sendError<Scope extends string>(
  session: Session<Scope>,
  id: string | undefined,
  code: string,
  retry: Retry,
  retryAfterMs?: number,
): void {
  if (session.isOurs) send(session, errorFrame(id, code, retry, retryAfterMs))
}

export function askToReauthenticate<Scope extends string>(session: Session<Scope>, reason: RefreshReason): void {
  const { core, principal, state } = session
  if (state !== 'ready' || principal === undefined || !session.speaksControl) return
  const leftMs = (principal.expiresAt - core.options.clock.now()) * 1000
  send(session, { type: 'auth.refresh', reason, deadlineMs: Math.max(0, Math.floor(leftMs)) })
}

/** What waits to be taken by a client that does not read costs memory, so that it has a bound and a time. */
export function lookAtBuffer<Scope extends string>(session: Session<Scope>): void {
  const { sendBufferBytes, sendBufferMaxBytes, sendBufferMs } = session.core.limits
  const unsent = session.transport.unsentBytes()
  if (unsent <= sendBufferBytes) {
    if (session.extras !== undefined) session.extras.slowDueMs = undefined
  } else if (unsent > sendBufferMaxBytes) {
    session.end('slow_consumer')
  } else if (session.extras?.slowDueMs === undefined) {
    session.makeExtras().slowDueMs = session.core.schedule.nowMs() + sendBufferMs
    plan(session)
  }
}
