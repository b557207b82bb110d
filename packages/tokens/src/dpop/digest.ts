import { encodeBase64Url } from '../internal/base64url.ts'

const encoder = new TextEncoder()

/** SHA-256 of a text's UTF-8, base64url: RFC 9449 section 4.2 calls it `ath` when the text is an access token. */
export async function sha256Text(text: string): Promise<string> {
  return encodeBase64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', encoder.encode(text))))
}
