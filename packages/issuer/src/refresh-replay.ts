import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

/** How long a client whose answer was lost may ask again with the token that it has. */
export const replaySeconds = 10

/** A successor as the client has to be given it. */
export interface SealedSuccessor {
  readonly token: string
  /** Unused until then, it is refused. */
  readonly expiresAt: number
}

const info = 'countersign refresh replay v1'
const nonceBytes = 12
const tagBytes = 16

/**
 * Only hashes of refresh tokens are stored; for a few seconds the successor rests beside its spent predecessor under a key
 * that only whoever holds that predecessor can derive (HKDF-SHA-256, AES-256-GCM, bound to the session).
 */
export function seal({ token, expiresAt }: SealedSuccessor, presented: string, sessionId: string): string {
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', keyOf(presented), nonce).setAAD(Buffer.from(sessionId))
  const sealed = Buffer.concat([cipher.update(`${expiresAt} ${token}`, 'utf8'), cipher.final()])
  return Buffer.concat([nonce, sealed, cipher.getAuthTag()]).toString('base64url')
}

/** @throws Error when it was not sealed for this token and session: then the store was tampered with */
export function unseal(sealed: string, presented: string, sessionId: string): SealedSuccessor {
  const bytes = Buffer.from(sealed, 'base64url')
  const decipher = createDecipheriv('aes-256-gcm', keyOf(presented), bytes.subarray(0, nonceBytes), {
    authTagLength: tagBytes,
  })
  decipher.setAAD(Buffer.from(sessionId)).setAuthTag(bytes.subarray(-tagBytes))
  const plain = decipher.update(bytes.subarray(nonceBytes, -tagBytes), undefined, 'utf8') + decipher.final('utf8')
  const space = plain.indexOf(' ')
  return { token: plain.slice(space + 1), expiresAt: Number(plain.slice(0, space)) }
}

/** The token has 256 random bits: it needs no salt and no stretching. */
function keyOf(presented: string): Buffer {
  return Buffer.from(hkdfSync('sha256', presented, '', info, 32))
}
