import type { RejectionCode } from '@countersign/tokens'
import type { CloseReason } from '../close-codes.ts'

/** What the wire says of a refusal: its class only, so that nobody learns which check a forged token failed. */
export function closeReasonOf(code: RejectionCode): CloseReason {
  switch (code) {
    case 'expired':
    case 'revoked':
      return code
    case 'insufficient_scope':
    case 'proof_required':
      return 'forbidden'
    case 'proof_invalid':
      return 'proof_failed'
    case 'keys_unavailable':
    case 'revocations_stale':
      return 'unavailable'
    case 'no_token':
    case 'invalid_request':
      return 'malformed'
    default:
      return 'invalid_token'
  }
}

/** Whether a refusal is the token's, or nobody could say. */
export function resultOf(code: RejectionCode): 'denied' | 'error' {
  return code === 'keys_unavailable' || code === 'revocations_stale' ? 'error' : 'denied'
}
