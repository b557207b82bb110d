import * as z from 'zod'
import { decodeBase64Url } from './internal/base64url.ts'
import { isSoundPublicKey } from './internal/edwards25519.ts'
import { isOnCurve } from './internal/weierstrass.ts'
import type { Algorithm, PublicJwk } from './key-source.ts'
import { TokensError } from './tokens-error.ts'

/** RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 8037 section 2: members that only a secret key has. */
const secretMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const

const member = z.string().min(1).max(2048)
const jwkSchema = z.object({
  kty: z.string().max(16),
  kid: z
    .string()
    .min(1)
    .max(128)
    .regex(/^[^\p{Cc}\p{Cs}]*$/u),
  alg: z.string().max(16).optional(),
  use: z.string().max(16).optional(),
  key_ops: z.array(z.string().max(32)).max(16).optional(),
  crv: z.string().max(16).default(''),
  x: member.optional(),
  y: member.optional(),
  n: member.optional(),
  e: member.optional(),
})
type ParsedJwk = z.infer<typeof jwkSchema>

const curveAlgorithms: ReadonlyMap<string, Algorithm> = new Map([
  ['P-256', 'ES256'],
  ['P-384', 'ES384'],
  ['P-521', 'ES512'],
])
const rsaAlgorithms: ReadonlySet<string | undefined> = new Set(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'])

/** Smallest and largest RSA modulus, in bits: below it is weak, above it a denial of service. */
const rsaBits = { least: 2048, most: 8192 } as const

/** Keys found sound before: the check costs about a millisecond and sets are read again and again. */
const soundKeys = new Set<string>()

function refuse(message: string): never {
  throw new TokensError('bad_key', message)
}

/** A member that is there and is base64url: its text and what that says. */
function decode(text: string | undefined, name: string): { readonly text: string; readonly bytes: Uint8Array } {
  const bytes = text === undefined ? undefined : decodeBase64Url(text)
  if (text === undefined || bytes === undefined) return refuse(`The key's "${name}" is not base64url.`)
  return { text, bytes }
}

function importOkp({ crv, alg, kid, x }: ParsedJwk): PublicJwk {
  if (crv !== 'Ed25519') return refuse('Of the OKP curves, only Ed25519 signs here.')
  if (alg !== undefined && alg !== 'EdDSA' && alg !== 'Ed25519') return refuse('The key\'s "alg" is not for Ed25519.')
  const { text, bytes } = decode(x, 'x')
  if (!soundKeys.has(text)) {
    if (!isSoundPublicKey(bytes)) return refuse('The key is not the canonical encoding of a point of prime order.')
    if (soundKeys.size >= 1024) soundKeys.clear()
    soundKeys.add(text)
  }
  return { kty: 'OKP', alg: alg ?? 'EdDSA', kid, use: 'sig', crv, x: text }
}

function importEc({ crv, alg, kid, x, y }: ParsedJwk): PublicJwk {
  const algorithm = curveAlgorithms.get(crv)
  if (algorithm === undefined) return refuse('The EC curve is not P-256, P-384 or P-521.')
  if (alg !== undefined && alg !== algorithm) return refuse('The key\'s "alg" is not the one of its curve.')
  const point = { x: decode(x, 'x'), y: decode(y, 'y') }
  if (!isOnCurve(crv, point.x.bytes, point.y.bytes)) return refuse('The coordinates are not a point on the curve.')
  return { kty: 'EC', alg: algorithm, kid, use: 'sig', crv, x: point.x.text, y: point.y.text }
}

/** Without leading zeroes, which nobody writes. */
function bitLength([first = 0, ...rest]: Uint8Array): number {
  return first === 0 ? 0 : rest.length * 8 + 32 - Math.clz32(first)
}

function isOdd(bytes: Uint8Array): boolean {
  return ((bytes.at(-1) ?? 0) & 1) === 1
}

function importRsa({ alg, kid, n, e }: ParsedJwk): PublicJwk {
  // Without `alg` the token's header would choose between six algorithms.
  if (!rsaAlgorithms.has(alg)) return refuse('An RSA key must name its "alg": RS or PS 256, 384, 512.')
  const [modulus, exponent] = [decode(n, 'n'), decode(e, 'e')]
  const bits = bitLength(modulus.bytes)
  if (bits < rsaBits.least || bits > rsaBits.most) {
    return refuse(`An RSA modulus has ${rsaBits.least} to ${rsaBits.most} bits.`)
  }
  const exponentBits = bitLength(exponent.bytes)
  if (exponentBits < 17 || exponentBits > 32 || !isOdd(exponent.bytes)) {
    return refuse('An RSA exponent is odd, at least 65537 and below 2^32.')
  }
  if (!isOdd(modulus.bytes)) return refuse('An RSA modulus is odd.')
  return { kty: 'RSA', alg: alg as Algorithm, kid, use: 'sig', n: modulus.text, e: exponent.text }
}

/**
 * Checks a public JWK (RFC 7517) and copies its public members, nothing else, into a frozen object.
 *
 * Refused: private members, `use` or `key_ops` that do not verify, a missing `kid` or one above 128 characters, an `alg`
 * that is not the key's, non-canonical, small-order and mixed-order Ed25519 keys, points off their curve, RSA below 2,048
 * bits or without `alg`. An Ed25519 or EC key without `alg` gets the one of its curve.
 *
 * @throws TokensError `bad_key`; the message says which rule, never the key
 */
export function importPublicJwk(jwk: unknown): PublicJwk {
  const parsed = jwkSchema.safeParse(jwk)
  if (!parsed.success) {
    return refuse(`The key's "${parsed.error.issues[0]?.path.join('.') || 'JWK'}" is missing or has the wrong form.`)
  }
  if (secretMembers.some((name) => Object.hasOwn(jwk as object, name))) return refuse('The key has private members.')
  const { kty, use, key_ops } = parsed.data
  if (use !== undefined && use !== 'sig') return refuse('The key is not for signatures.')
  if (key_ops !== undefined && !key_ops.includes('verify')) return refuse('The key is not for verifying.')
  if (kty === 'OKP') return Object.freeze(importOkp(parsed.data))
  if (kty === 'EC') return Object.freeze(importEc(parsed.data))
  if (kty === 'RSA') return Object.freeze(importRsa(parsed.data))
  return refuse('The key type is not OKP, EC or RSA.')
}
