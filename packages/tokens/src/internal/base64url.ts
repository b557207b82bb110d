const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Six bits by character code; 255 for characters outside the alphabet. */
const bitsOf: Uint8Array = new Uint8Array(128).fill(255)
for (let index = 0; index < 64; index++) bitsOf[alphabet.charCodeAt(index)] = index

/**
 * Decodes canonical base64url (RFC 4648 section 5, RFC 7515 section 2): no padding, no other character, and no bits set
 * that encode nothing; one value has exactly one spelling.
 *
 * @returns `undefined` for anything else
 */
export function decodeBase64Url(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (text.length % 4 === 1) return undefined
  const bytes = new Uint8Array(Math.floor((text.length * 3) / 4))
  let buffer = 0
  let held = 0
  let at = 0
  for (let index = 0; index < text.length; index++) {
    const bits = bitsOf[text.charCodeAt(index)] ?? 255
    if (bits === 255) return undefined
    buffer = ((buffer << 6) | bits) & 0xfff
    held += 6
    if (held >= 8) {
      held -= 8
      bytes[at++] = (buffer >> held) & 0xff
    }
  }
  return (buffer & ((1 << held) - 1)) === 0 ? bytes : undefined
}

export function encodeBase64Url(bytes: Uint8Array): string {
  let text = ''
  let buffer = 0
  let held = 0
  for (const byte of bytes) {
    buffer = ((buffer << 8) | byte) & 0x3fff
    held += 8
    while (held >= 6) {
      held -= 6
      text += alphabet[(buffer >> held) & 63]
    }
  }
  return held === 0 ? text : text + alphabet[(buffer << (6 - held)) & 63]
}

/** Whether the last character of base64url text sets no bit that encodes nothing. */
export function endsCanonically(text: string): boolean {
  const used = text.length % 4
  if (used === 0) return true
  const last = bitsOf[text.charCodeAt(text.length - 1)] ?? 255
  return (last & (used === 2 ? 15 : 3)) === 0
}
