import { randomText, refreshTokenPrefix, sha256 } from './random.ts'

/** How long a client whose answer was lost may ask again with the token that it has. */
export const replaySeconds = 10

const info = 'countersign refresh successor v1'
const saltBytes = 32
const saltShape = /^[\w-]{43}$/

/** 256 random bits that make a refresh token's successor; see {@link successorOf}. */
export function newSalt(): string {
  return randomText(saltBytes)
}

/**
 * The successor of a refresh token: derived from that token and a fresh salt, by the one-step derivation of NIST SP 800-56C
 * (section 4, SHA-256; the counter, the secret, then what is bound to it, all of one length each time).
 *
 * Only hashes of refresh tokens are stored, yet who asks again in time must get the same successor. So the salt rests
 * beside the spent token for a few seconds. Without the token it tells nothing; and the token tells nothing about what came
 * after it once the salt is deleted, however long a thief keeps it. Bound to the session.
 *
 * @throws Error when it is no salt: then the store was tampered with
 */
export function successorOf(presented: string, sessionId: string, salt: string): string {
  if (!saltShape.test(salt)) throw new Error('what the store keeps for a repeated refresh is no salt')
  return refreshTokenPrefix + sha256(`\0\0\0\x01${presented}${info}\n${sessionId}\n${salt}`)
}
