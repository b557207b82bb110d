import type { RejectionCode } from '@countersign/tokens'
import type { Context } from '../context.ts'
import type { ExchangeOutcome } from '../ports.ts'
import { type Refusal, refusal } from '../refusals.ts'

/** Why an exchange was not made. What a verifier says of the presented token is among them. */
export type ExchangeRefusal =
  | RejectionCode
  | Exclude<ExchangeOutcome, 'stored'>
  /** Neither ours nor of a declared verifier. */
  | 'unknown_issuer'
  /** Bound to a key of its sender (`cnf`): whoever holds it otherwise may not use it. */
  | 'sender_bound'
  /** No edge lets this client present a token for that audience, or lead it there. */
  | 'not_permitted'
  /** The token names who may act, and it is not this one. */
  | 'may_act'
  /** Four exchanges in a row, or more parties than a token can name. */
  | 'too_deep'
  | 'scope_grown'
  | 'scope_empty'
  | 'reason_missing'
  /** The actor's token is not one that can be acted with here. */
  | 'actor_unfit'

const wire: Readonly<Partial<Record<ExchangeRefusal, Refusal>>> = {
  too_deep: 'exchange_too_deep',
  scope_grown: 'scope_grown',
  scope_empty: 'scope_empty',
  reason_missing: 'reason_missing',
  actor_unfit: 'actor_token_failed',
}

/**
 * Reports why, and answers what RFC 8693 section 2.2.2 allows.
 * @throws IssuerError `invalid_request`, `invalid_target`, `invalid_scope`
 */
export function refuseExchange(
  context: Context,
  clientId: string,
  reason: ExchangeRefusal,
  also: { readonly from?: string; readonly answer?: Refusal } = {},
): never {
  const { from, answer = wire[reason] ?? 'subject_token_failed' } = also
  context.emit({ type: 'exchange_refused', reason, clientId, ...(from === undefined ? undefined : { from }) })
  throw refusal(answer)
}
