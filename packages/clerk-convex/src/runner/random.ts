/** No vowels, so that codes spell nothing, and nothing that looks like another (RFC 8628 section 6.1). */
const letters = 'BCDFGHJKLMNPQRSTVWXZ'

/** 8 letters: 34 bits, which five wrong tries in ten minutes do not exhaust. */
export function randomUserCode(): string {
  let code = ''
  while (code.length < 8) {
    const [byte = 0] = crypto.getRandomValues(new Uint8Array(1))
    // The rest of the bytes would favour the first letters.
    if (byte < 240) code += letters[byte % letters.length]
  }
  return code
}

/** As a person typed it in: small letters, dashes and spaces forgiven. */
export function readUserCode(text: string): string {
  return text.length > 32 ? '' : text.toUpperCase().replace(/[\s-]/g, '')
}

function base64Url(bytes: Uint8Array): string {
  const text = btoa(String.fromCharCode(...bytes))
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

export function randomSecret(bytes: 16 | 32): string {
  return base64Url(crypto.getRandomValues(new Uint8Array(bytes)))
}

/** Base64url, of the text's UTF-8. */
export async function sha256(text: string): Promise<string> {
  return base64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))))
}
