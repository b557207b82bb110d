import { engine } from '#engine'
import type { HmacKey } from '../engine-contract.ts'
import { TokensError } from '../tokens-error.ts'

/** RFC 7518 section 3.2: as long as the hash. */
const leastBytes = 32

/** A DER sequence that fills its bytes exactly (ITU-T X.690 section 8.1.3): what SPKI, PKCS #1 and certificates are. */
function isDer(bytes: Uint8Array): boolean {
  const [tag, first = 0] = bytes
  if (tag !== 0x30) return false
  if (first < 0x80) return bytes.length === 2 + first
  const count = first & 0x7f
  const length = bytes.subarray(2, 2 + count).reduce((sum, byte) => sum * 256 + byte, 0)
  return bytes.length === 2 + count + length
}

function decodesToDer(text: string): boolean {
  try {
    const binary = atob(text.replace(/-/g, '+').replace(/_/g, '/'))
    return isDer(Uint8Array.from(binary, (character) => character.charCodeAt(0)))
  } catch {
    return false
  }
}

/** True for what everybody may know: a PEM block, a JWK, a DER key or certificate, plain or in base64. */
function isPublished(bytes: Uint8Array): boolean {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
  if (text.includes('-----BEGIN') || /"kty"\s*:/.test(text) || /^\s*(?:ssh|ecdsa)-/.test(text)) return true
  return isDer(bytes) || decodesToDer(text)
}

/** @throws TokensError `bad_key` for less than 32 bytes, and for anything that is a public key in some wrapping */
export function importHs256Secret(secret: Uint8Array | string): HmacKey {
  const bytes = typeof secret === 'string' ? new TextEncoder().encode(secret) : secret
  if (!(bytes instanceof Uint8Array)) throw new TokensError('bad_key', 'An HS256 secret is bytes or text.')
  if (bytes.length < leastBytes) throw new TokensError('bad_key', `An HS256 secret has at least ${leastBytes} bytes.`)
  if (isPublished(bytes))
    throw new TokensError('bad_key', 'The HS256 secret is a public key or certificate: no secret.')
  return engine.hmacKey(bytes)
}
