import type { Session } from './session.ts'

/** Puts the next moment at which something has to be done into the schedule. */
export function plan<Scope extends string>(session: Session<Scope>): void {
  const { core, state, verification, openedMs } = session
  const { authMs, sessionSeconds, verifyMs } = core.limits
  let next = openedMs + (state === 'ready' ? sessionSeconds * 1000 : authMs)
  if (verification !== undefined) next = sooner(verification.startMs + verifyMs, next)
  if (state === 'ready') {
    next = sooner(session.expiresMs, next)
    next = sooner(session.pingDueMs, next)
    next = sooner(session.pongDueMs, next)
    next = sooner(session.refreshDueMs, next)
    const { extras } = session
    if (extras !== undefined) {
      next = sooner(extras.slowDueMs ?? 0, next)
      next = sooner(extras.leaveDueMs ?? 0, next)
    }
  }
  core.schedule.set(session, next)
}

/** @param dueMs 0 for never */
function sooner(dueMs: number, next: number): number {
  return dueMs > 0 && dueMs < next ? dueMs : next
}
