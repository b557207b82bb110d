import type { Principal } from '../principal.ts'
import { TokensError } from '../tokens-error.ts'
import { reject } from './reject.ts'

/**
 * Refuses what was revoked. Whatever is no plain answer is a fault of who answers: a promise, taken for "no", would let
 * in everybody who was shut out.
 */
export function revocationCheck(
  isRevoked: ((principal: Principal) => unknown) | undefined,
): (principal: Principal) => void {
  if (isRevoked === undefined) return () => {}
  return (principal) => {
    const answer = isRevoked(principal)
    if (answer === false) return
    if (answer === true) reject('revoked', 'claims', 'The token was revoked.', 'isRevoked')
    throw new TokensError('bad_option', '"isRevoked" answered neither true nor false; it must not be asynchronous.')
  }
}
