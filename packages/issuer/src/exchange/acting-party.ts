import type { Context } from '../context.ts'
import { stillCounts } from '../token-state.ts'
import type { OwnTokens } from '../verify-own.ts'
import type { ActingParty } from './attenuate.ts'
import { readPresented } from './presented-token.ts'
import type { ExchangeRefusal } from './refuse.ts'

/**
 * Whom the client acts with (RFC 8693 section 2.1, `actor_token`): the holder of a token of ours that was sent to the same
 * audience as the subject's, and that nobody else acts through.
 * @returns undefined when there is no such token
 */
export async function readActor(
  context: Context,
  own: OwnTokens,
  token: string | undefined,
  from: string,
): Promise<ActingParty | ExchangeRefusal | undefined> {
  if (token === undefined) return undefined
  const presented = await readPresented(context, own, token)
  if (typeof presented === 'string') return presented
  const { own: ours, subject, session, generations } = presented
  if (ours === undefined || presented.from !== from || presented.actor !== undefined) return 'actor_unfit'
  if (ours.ancestors.length > 0 || presented.mayAct !== undefined) return 'actor_unfit'
  const principal = await own.verify(token, from)
  if (!(await stillCounts(context, principal))) return 'revoked'
  return {
    subject,
    restsOn: [
      [ours.clientId, generations[1]],
      [subject, generations[2]],
      // Whose generations nobody counts: an entry alone ends them.
      [session, 0],
      [ours.tokenId, 0],
    ],
    expiresAt: presented.expiresAt,
    synthetic: presented.synthetic,
  }
}
