import type { Session } from './session.ts'

/** Counts a message or ping against the socket's rate; false once there were too many, and the socket is closing. */
export function takeAllowance<Scope extends string>(session: Session<Scope>): boolean {
  const { burst, messagesPerSecond } = session.core.limits
  const nowMs = session.core.schedule.nowMs()
  // Whatever comes shows that the peer is there.
  session.pongDueMs = 0
  const regained = ((nowMs - session.allowanceMs) * messagesPerSecond) / 1000
  if (regained >= 1) {
    const whole = Math.floor(regained)
    session.allowance = Math.min(burst, session.allowance + whole)
    session.allowanceMs =
      session.allowance === burst ? nowMs : session.allowanceMs + Math.floor((whole * 1000) / messagesPerSecond)
  }
  if (session.allowance < 1) {
    session.end('rate')
    return false
  }
  session.allowance -= 1
  return true
}
