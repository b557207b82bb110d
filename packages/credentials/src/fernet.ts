import { createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto'
import { CredentialsError } from './errors.ts'

export interface ReadFernetOptions {
  /** Refuses what was made longer ago, or more than a minute ahead. @default no limit, as Fernet's own */
  readonly ttlSeconds?: number
  /** Unix seconds. @default the machine's clock */
  readonly now?: number
}

const version = 0x80
const keyBytes = 32
const blockBytes = 16
const macBytes = 32
/** Version, time, IV, one block, HMAC. */
const leastBytes = 1 + 8 + blockBytes + blockBytes + macBytes
/** Longest token that is read, in characters: a secret of the store's size, and room. */
const longestToken = 100_000
const skewSeconds = 60

/**
 * Reads a Fernet token (https://github.com/fernet/spec) of any of the keys, tried in order, as MultiFernet does. For moving
 * off Fernet: nothing here writes one.
 *
 * @param keys each 32 bytes in URL-safe base64
 * @throws CredentialsError `fernet_key_invalid`, `fernet_invalid`, `fernet_expired`
 */
export function readFernet(token: string, keys: readonly string[], options: ReadFernetOptions = {}): Uint8Array {
  if (keys.length === 0) throw new CredentialsError('fernet_key_invalid', 'no Fernet key was given')
  const secrets = keys.map(readKey)
  const bytes = token.length <= longestToken ? fromBase64(token.trim()) : undefined
  const wellFormed =
    bytes !== undefined &&
    bytes.length >= leastBytes &&
    bytes[0] === version &&
    (bytes.length - leastBytes) % blockBytes === 0
  const secret = wellFormed ? secrets.find((candidate) => signed(bytes, candidate)) : undefined
  if (bytes === undefined || secret === undefined) throw invalid()
  refuseOld(Number(bytes.readBigUInt64BE(1)), options)
  return decrypt(bytes, secret.subarray(16))
}

const invalid = (): CredentialsError => new CredentialsError('fernet_invalid', 'this is no Fernet token of these keys')

function readKey(text: string): Buffer {
  const bytes = fromBase64(text.trim())
  if (bytes?.length === keyBytes) return bytes
  throw new CredentialsError('fernet_key_invalid', 'a Fernet key is not 32 bytes in URL-safe base64')
}

/** With or without padding; one text for one value otherwise. */
function fromBase64(text: string): Buffer | undefined {
  const bare = text.replace(/={1,2}$/u, '')
  const bytes = Buffer.from(bare, 'base64url')
  const padded = bare.length === text.length || text.length % 4 === 0
  return padded && bytes.toString('base64url') === bare ? bytes : undefined
}

function signed(bytes: Buffer, secret: Buffer): boolean {
  const end = bytes.length - macBytes
  const mac = createHmac('sha256', secret.subarray(0, 16)).update(bytes.subarray(0, end)).digest()
  return timingSafeEqual(mac, bytes.subarray(end))
}

function refuseOld(madeAt: number, { ttlSeconds, now = Date.now() / 1000 }: ReadFernetOptions): void {
  if (ttlSeconds === undefined) return
  if (!(ttlSeconds >= 0)) throw new RangeError('ttlSeconds must be a number of seconds, 0 or more')
  if (madeAt + ttlSeconds < now || madeAt > now + skewSeconds) {
    throw new CredentialsError('fernet_expired', 'the Fernet token is not from within its time to live')
  }
}

function decrypt(bytes: Buffer, secret: Buffer): Uint8Array {
  const opening = createDecipheriv('aes-128-cbc', secret, bytes.subarray(9, 9 + blockBytes))
  const first = opening.update(bytes.subarray(9 + blockBytes, bytes.length - macBytes))
  try {
    return new Uint8Array(Buffer.concat([first, opening.final()]))
  } catch {
    throw invalid()
  } finally {
    first.fill(0)
  }
}
