import { TokensError } from './tokens-error.ts'

/** Accepts `http:` issuers that are not on loopback. For closed test networks only. */
export const allowInsecureIssuer: unique symbol = Symbol.for('countersign.allowInsecureIssuer')

/** True for names and addresses that never leave the machine (RFC 6761 section 6.3, RFC 1122 section 3.2.1.3, RFC 4291). */
export function isLoopbackHost(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127\.(?:\d{1,3}\.){2}\d{1,3}$/.test(hostname)
  )
}

/**
 * Parses a URL that trust hangs on.
 *
 * @throws TokensError `bad_option` if it is no http(s) URL or carries credentials or a fragment; `insecure_url` for
 * `http:` that is not on loopback
 */
export function parseTrustedUrl(text: string, what: string, insecureAllowed: boolean): URL {
  let url: URL
  try {
    url = new URL(text)
  } catch (cause) {
    throw new TokensError('bad_option', `${what} is not a URL.`, { cause })
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new TokensError('bad_option', `${what} must be an https URL.`)
  }
  if (url.username !== '' || url.password !== '' || url.hash !== '') {
    throw new TokensError('bad_option', `${what} must carry neither credentials nor a fragment.`)
  }
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname) && !insecureAllowed) {
    throw new TokensError('insecure_url', `${what} uses http outside loopback.`)
  }
  return url
}
