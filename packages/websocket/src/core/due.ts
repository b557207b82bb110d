import { undecided } from './authenticate.ts'
import { plan } from './plan.ts'
import { askToReauthenticate, send } from './send.ts'
import type { Session } from './session.ts'

/** What time asks for in each state, once the moment has come that was planned. */
export function onDue<Scope extends string>(session: Session<Scope>, nowMs: number): void {
  if (session.state === 'ready') onDueReady(session, nowMs)
  else if (session.state === 'draining') session.transport.destroyNow()
  else if (session.state !== 'closed') onDueBefore(session, nowMs)
}

function onDueBefore<Scope extends string>(session: Session<Scope>, nowMs: number) {
  const { core, openedMs, sid } = session
  if (nowMs >= openedMs + core.limits.authMs) {
    core.report({ type: 'auth', sid, result: 'denied', reason: 'auth_timeout', durationMs: nowMs - openedMs })
    session.end('auth_timeout')
  } else {
    endLateVerification(session, nowMs)
    if (session.state !== 'draining') plan(session)
  }
}

function onDueReady<Scope extends string>(session: Session<Scope>, nowMs: number) {
  const { core, extras } = session
  if (nowMs >= session.openedMs + core.limits.sessionSeconds * 1000) return session.end('session_age')
  if (nowMs >= session.expiresMs) return session.end('expired')
  if (extras?.leaveDueMs !== undefined && nowMs >= extras.leaveDueMs) return session.shut(1001, 'going away')
  if (session.pongDueMs > 0 && nowMs >= session.pongDueMs) return session.end('no_pong')
  if (extras?.slowDueMs !== undefined && nowMs >= extras.slowDueMs) {
    if (session.transport.unsentBytes() > core.limits.sendBufferBytes) return session.end('slow_consumer')
    extras.slowDueMs = undefined
  }
  endLateVerification(session, nowMs)
  if (session.refreshDueMs > 0 && nowMs >= session.refreshDueMs) {
    session.refreshDueMs = 0
    askToReauthenticate(session, 'expiring')
  }
  if (nowMs >= session.pingDueMs) ping(session, nowMs)
  if (session.state === 'ready') plan(session)
}

function endLateVerification<Scope extends string>(session: Session<Scope>, nowMs: number) {
  const { verification } = session
  if (verification === undefined || nowMs < verification.startMs + session.core.limits.verifyMs) return
  session.verification = undefined
  undecided(session, 'verify_timeout', verification)
}

function ping<Scope extends string>(session: Session<Scope>, nowMs: number) {
  const { pingMs, pongMs, inFlight } = session.core.limits
  session.pingDueMs = nowMs + pingMs
  // While we do not read, a missing answer is ours.
  session.pongDueMs = session.inFlight >= inFlight ? 0 : nowMs + pongMs
  if (session.speaksControl) send(session, { type: 'ping', n: Math.round((nowMs - session.openedMs) / pingMs) })
  else session.transport.sendPing()
}
