import { Problem } from '@countersign-apps/kit'
import type { Context } from './context.ts'
import { rethrow, sessionId } from './desk.ts'
import type { RevocationView } from './revocation-board.ts'

export interface ToRevoke {
  readonly session: string
  /** The operator's subject. */
  readonly operator: string
  readonly reason: string
}

/**
 * Ends a session with everything that came of it. Who, whose and why is in the audit log first.
 * @throws Problem `not_found`, `conflict` if it has ended before, `unavailable`
 */
export async function revokeSession(
  { issuer, board, clock }: Pick<Context, 'issuer' | 'board' | 'clock'>,
  { session: id, operator, reason }: ToRevoke,
): Promise<RevocationView> {
  const session = sessionId.test(id) ? await issuer.sessions.byId(id).catch(rethrow) : undefined
  if (session === undefined) throw new Problem('not_found', 'There is no such session.')
  const sinceMs = clock.monotonicMs()
  const actor = { type: 'user', id: operator } as const
  const ended = await issuer.sessions.revoke(id, { actor, reason }).catch(rethrow)
  if (!ended) throw new Problem('conflict', 'The session has ended before.')
  // Read afterwards: whoever holds this, holds the revocation.
  const position = await issuer.revocationPosition().catch(rethrow)
  return await board.add({ session, operator, reason, position, sinceMs })
}
