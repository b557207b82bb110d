import { createHmac } from 'node:crypto'
import { randomText, refreshTokenPrefix } from './random.ts'

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
 * The successor of a refresh token: HMAC-SHA-256 under that token, of a fresh salt.
 *
 * Only hashes of refresh tokens are stored, yet who asks again in time must get the same successor. So the salt rests
 * beside the spent token for a few seconds. Without the token it tells nothing; and the token tells nothing about what came
 * after it once the salt is deleted, however long a thief keeps it. Bound to the session.
 *
 * @throws Error when it is no salt: then the store was tampered with
 */
export function successorOf(presented: string, sessionId: string, salt: string): string {
  if (!saltShape.test(salt)) throw new Error('what the store keeps for a repeated refresh is no salt')
  const made = createHmac('sha256', presented).update(`${info}\n${sessionId}\n${salt}`).digest('base64url')
  return refreshTokenPrefix + made
}
