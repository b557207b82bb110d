import type { Clock, TokenRejected } from '@countersign/tokens'
import type { Decision } from './decision.ts'
import type { EventBasis, GuardEvent } from './events.ts'
import type { AdmitRequest } from './guard.ts'
import { createAlgorithmReader } from './token-algorithm.ts'

/** Tells of one request, once, what came of it and how long that took. */
export interface DecisionReport {
  /** What the token was refused for: a decision does not carry all of it. */
  rejected(rejection: TokenRejected): void
  decided(decision: Decision): void
  /** There is no decision. */
  failed(cause: unknown): void
}

/** @returns starts the report of a request that is about to be decided */
export function createReports(
  onEvent: (event: GuardEvent) => void,
  clock: Clock,
): (request: AdmitRequest) => DecisionReport {
  const algorithmOf = createAlgorithmReader()
  return ({ token, surface = 'other' }) => {
    const startMs = clock.monotonicMs()
    let rejection: TokenRejected | undefined
    const basis = (): EventBasis => {
      const algorithm = token === undefined ? undefined : algorithmOf(token)
      const durationMs = clock.monotonicMs() - startMs
      return { surface, ...(algorithm === undefined ? {} : { algorithm }), durationMs }
    }
    return {
      rejected(reason) {
        rejection = reason
      },
      decided: (decision) => onEvent(toEvent(decision, rejection, basis())),
      failed: (cause) => onEvent({ type: 'error', ...basis(), cause }),
    }
  }
}

function toEvent(decision: Decision, rejection: TokenRejected | undefined, basis: EventBasis): GuardEvent {
  if (decision.admitted) return { type: 'admitted', ...basis }
  const { code } = decision
  if (decision.retryAfterSeconds !== undefined) return { type: 'error', ...basis, code, cause: rejection?.cause }
  const where = rejection?.where
  const setting = rejection?.setting
  return {
    type: 'denied',
    ...basis,
    code,
    ...(where === undefined ? {} : { where }),
    ...(setting === undefined ? {} : { setting }),
  }
}
