/**
 * The close codes of `wsauth.v1`. The range is the contract, so that codes of later versions work with older clients:
 * 4400–4429 stop, 4430–4459 get another token, 4460–4499 back off.
 */
export const closeCodes = {
  malformed: 4400,
  invalid_token: 4401,
  forbidden: 4403,
  subprotocol: 4406,
  identity_mismatch: 4409,
  budget: 4413,
  second_auth: 4429,
  expired: 4430,
  revoked: 4431,
  proof_failed: 4432,
  session_age: 4433,
  auth_timeout: 4460,
  rate: 4461,
  slow_consumer: 4462,
  no_pong: 4463,
  connection_limit: 4464,
  unavailable: 4465,
} as const

export type CloseReason = keyof typeof closeCodes
export type CloseCode = (typeof closeCodes)[CloseReason]

/** What a client does after a close: no more; ask for another token and come back; come back later. */
export type Retry = 'never' | 'new_token' | 'backoff'

/** Codes of RFC 6455 section 7.4.1 that say that what this client sends is wrong: sending it again does not help. */
const protocolFaults: ReadonlySet<number> = new Set([1002, 1003, 1007, 1008, 1009, 1010])

/** What a close code asks of the client, also one that is not known yet. */
export function retryAfterClose(code: number): Retry {
  if ((code >= 4400 && code <= 4429) || protocolFaults.has(code)) return 'never'
  return code >= 4430 && code <= 4459 ? 'new_token' : 'backoff'
}
