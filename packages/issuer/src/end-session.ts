import type { Context } from './context.ts'
import type { AuditActor, SessionEndReason, SessionRecord } from './ports.ts'

/**
 * Ends a session: its refresh tokens are refused and its access tokens inactive from then on. Recorded first.
 * @returns false if it had ended before
 */
export async function endSession(
  context: Context,
  session: Pick<SessionRecord, 'id' | 'clientId' | 'userId'>,
  reason: SessionEndReason,
  actor: AuditActor,
): Promise<boolean> {
  await recordEnd(context, session, reason, actor)
  const ended = await context.stores.sessions.end(session.id, reason, context.now())
  if (ended) context.emit({ type: 'session_ended', sessionId: session.id, reason })
  return ended
}

export function recordEnd(
  context: Context,
  session: Pick<SessionRecord, 'id' | 'clientId' | 'userId'>,
  reason: SessionEndReason,
  actor: AuditActor,
): Promise<void> {
  return context.audit({
    action: 'session.end',
    outcome: 'allowed',
    actor,
    target: { type: 'session', id: session.id },
    reason,
    details: { client: session.clientId, user: session.userId },
  })
}
