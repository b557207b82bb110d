import { z } from 'zod'

/** What a token says of itself. Nothing of it is proven: for showing to people, never for deciding. */
export interface DecodedToken {
  readonly header: Readonly<Record<string, unknown>>
  readonly claims: Readonly<Record<string, unknown>>
}

const recordSchema = z.record(z.string(), z.unknown())

function decodeSegment(segment: string | undefined): Readonly<Record<string, unknown>> | undefined {
  if (segment === undefined || !/^[\w-]+$/u.test(segment)) return undefined
  try {
    const parsed = recordSchema.safeParse(JSON.parse(Buffer.from(segment, 'base64url').toString('utf8')))
    return parsed.success ? parsed.data : undefined
  } catch {
    return undefined
  }
}

/** Reads the header and the claims of a compact JWS; each is undefined where it cannot be read. */
export function decodeToken(token: string): { [Part in keyof DecodedToken]: DecodedToken[Part] | undefined } {
  const [header, claims] = token.trim().split('.')
  return { header: decodeSegment(header), claims: decodeSegment(claims) }
}

/**
 * What is probably the matter with something that is no compact JWS: the usual slips of copying and piping.
 * @returns undefined if none of them is seen
 */
export function explainShape(token: string): string | undefined {
  if (/^\s*Bearer\s/iu.test(token)) return 'It begins with "Bearer": give the token alone.'
  if (/^["']|["']$/u.test(token.trim())) return 'It stands between quotation marks: take them off.'
  if (/^\s|\s$/u.test(token)) return 'There is white space around it.'
  if (/\s/u.test(token)) return 'There is white space within it: it was probably wrapped over lines.'
  const segments = token.split('.').length
  if (segments === 1) return 'It has no dots: a refresh token or a secret is no access token.'
  if (segments === 5) return 'It has five segments: it is an encrypted token (JWE).'
  if (segments !== 3) return `It has ${segments} segments; an access token has three.`
  if (token.split('.').some((segment) => segment === '')) return 'One of its segments is empty: it was probably cut.'
  if (token.includes('=')) return 'It has padding (=), which base64url in a token has not.'
  if (/[+/]/u.test(token)) return 'It is in base64, not in base64url.'
  return explainSignature(token)
}

/** An Ed25519 or ES256 signature (RFC 8037, RFC 7518 section 3.4): 64 bytes. */
const signatureCharacters = 86

function explainSignature(token: string): string | undefined {
  const { length } = token.slice(token.lastIndexOf('.') + 1)
  if (!/^(?:EdDSA|Ed25519|ES256)$/u.test(String(decodeToken(token).header?.alg))) return undefined
  if (length > signatureCharacters)
    return `Its signature is ${length - signatureCharacters} character(s) too long: something was appended.`
  if (length < signatureCharacters)
    return `Its signature is ${signatureCharacters - length} character(s) too short: it was cut.`
  return undefined
}
