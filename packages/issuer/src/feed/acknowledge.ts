import type { KeyConfirmations } from '@countersign/keys'
import type { Acknowledgement, AcknowledgementStore, FeedPosition } from '@countersign/revocation'
import { authenticateConfidentialClient, findClient } from '../client-auth.ts'
import type { Context } from '../context.ts'
import { refusal } from '../refusals.ts'
import { stillCounts } from '../token-state.ts'
import type { AcknowledgeRequest } from '../types.ts'
import type { OwnTokens } from '../verify-own.ts'

/** A consumer acknowledges every 30 s; after three that did not come it is not live. */
export const liveSeconds = 90

/**
 * Stores what a consumer says that it holds. Only the client that is named like the consumer may say so: with its secret,
 * or with an access token that it obtained for itself, for this very consumer.
 * @throws IssuerError `invalid_client`, `unauthorized_client`, `invalid_target`; `invalid_request` for a position to come
 */
export async function acknowledge(
  context: Context,
  own: OwnTokens,
  position: () => Promise<FeedPosition>,
  request: AcknowledgeRequest,
): Promise<void> {
  const { acknowledgement } = request
  const name = 'token' in request ? await holderOf(context, own, request.token) : await clientOf(context, request)
  if (!context.resources.has(acknowledgement.consumer)) throw refusal('audience_unknown')
  if (name !== acknowledgement.consumer) throw refusal('not_this_consumer')
  // It would count as holding every revocation to come.
  if (isAfter(acknowledgement.position, await position())) throw refusal('position_ahead')
  await context.stores.acknowledgements.put(acknowledgement, context.now())
}

function isAfter(told: FeedPosition, head: FeedPosition): boolean {
  return told.epoch > head.epoch || (told.epoch === head.epoch && told.seq > head.seq)
}

async function clientOf(
  context: Context,
  request: Extract<AcknowledgeRequest, { client: unknown }>,
): Promise<string | undefined> {
  return (await authenticateConfidentialClient(context, request)).name
}

/** @returns the client's name, if the token speaks for itself: subject, client and audience are one */
async function holderOf(context: Context, own: OwnTokens, token: string): Promise<string | undefined> {
  const principal = await own.read(token)
  if (principal === undefined || !(await stillCounts(context, principal))) throw refusal('token_refused')
  const { clientId, subject, audience } = principal
  if (clientId === undefined || clientId !== subject) return undefined
  const client = await findClient(context, clientId)
  return client?.name === audience ? client.name : undefined
}

/** The keys and positions that live consumers acknowledged, for a ring to wait for before it activates a key. */
export function consumerConfirmations(
  acknowledgements: AcknowledgementStore,
  now: () => number,
): Pick<KeyConfirmations, 'missing'> {
  return {
    async missing(kid) {
      const live = await acknowledgements.live(Math.floor(now()), liveSeconds)
      // One that names no key has read no JWKS yet, or does not tell of its keys: the first token makes it read the newest.
      const telling = live.filter((one: Acknowledgement) => one.kids.length > 0)
      const behind = telling.filter((one) => !one.kids.includes(kid)).map(({ consumer }) => consumer)
      return [...new Set(behind)].sort()
    },
  }
}
