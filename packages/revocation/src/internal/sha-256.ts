const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** SHA-256 as 43 characters of base64url. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  // WebCrypto's types want memory that is not shared between threads, which this never is.
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>))
  let text = ''
  for (let at = 0; at < hash.length; at += 3) {
    const bits = ((hash[at] ?? 0) << 16) | ((hash[at + 1] ?? 0) << 8) | (hash[at + 2] ?? 0)
    for (const shift of [18, 12, 6, 0]) text += alphabet[(bits >> shift) & 63]
  }
  return text.slice(0, 43)
}
