import { createPublicKey, type KeyObject, verify } from 'node:crypto'
import { z } from 'zod'
import type { ClientKey, ClientRecord } from './ports.ts'
import { sha256 } from './random.ts'

/** RFC 7523 section 2.2. */
export const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

const maxLength = 8_192
const longestLifeSeconds = 300
/** Of difference between the client's clock and ours. */
const skewSeconds = 5

/** Another process's clock may be behind the one that forgets. */
const rememberedLongerSeconds = 60

/** Ed25519 and nothing else: 64 bytes of signature are 86 characters. */
const shape = /^([\w-]{2,2048})\.([\w-]{2,6144})\.([\w-]{86})$/

const header = z.looseObject({
  alg: z.enum(['EdDSA', 'Ed25519']),
  /** Another kind of token, such as an access token that the client's key signed, is not an assertion. */
  typ: z
    .string()
    .regex(/^(?:jwt|(?:application\/)?client-authentication\+jwt)$/i)
    .optional(),
  kid: z.string().max(128).optional(),
  // Nothing critical is understood here (RFC 7515 section 4.1.11).
  crit: z.undefined().optional(),
  b64: z.undefined().optional(),
})

const instant = z.int().min(0)

const claims = z.looseObject({
  iss: z.string(),
  sub: z.string(),
  aud: z.string(),
  exp: instant,
  iat: instant.optional(),
  nbf: instant.optional(),
  jti: z.string().min(1).max(256),
})

export type AssertionFault =
  | 'assertion_malformed'
  | 'assertion_key'
  | 'assertion_signature'
  | 'assertion_client'
  | 'assertion_audience'
  | 'assertion_times'

/** What makes the assertion good for one request only. */
export interface UsableAssertion {
  /** For the client and the `jti` together. */
  readonly id: string
  /** Nobody accepts it from then on. */
  readonly until: number
}

/** Whom an assertion says it is from; nothing of it has been verified. */
export function claimedClient(assertion: string): string | undefined {
  return read(assertion)?.claims.sub
}

/**
 * Checks an assertion (RFC 7523 section 3) but for whether it was used before: the signature by one of the client's keys,
 * `iss` and `sub` the client as it calls itself, `aud` this issuer and nobody else, `exp` at most 5 minutes ahead.
 */
export function checkAssertion(
  client: ClientRecord,
  calledItself: string,
  assertion: string,
  issuer: string,
  now: number,
): UsableAssertion | AssertionFault {
  const parts = read(assertion)
  if (parts === undefined) return 'assertion_malformed'
  const { claims } = parts
  const usable = client.keys.filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
  const named = parts.kid === undefined ? usable : usable.filter(({ kid }) => kid === parts.kid)
  if (named.length === 0) return 'assertion_key'
  if (!named.some((key) => verify(null, parts.signed, keyObject(key), parts.signature))) return 'assertion_signature'
  if (claims.iss !== calledItself || claims.sub !== calledItself) return 'assertion_client'
  // The token endpoint's URL, or a list, would let whoever runs another service use it here (rfc7523bis).
  if (claims.aud !== issuer) return 'assertion_audience'
  const from = Math.max(claims.iat ?? 0, claims.nbf ?? 0)
  const tooLong = claims.exp - now > longestLifeSeconds + skewSeconds || claims.exp - from <= 0
  if (tooLong || claims.exp <= now - skewSeconds || from > now + skewSeconds) return 'assertion_times'
  return { id: sha256(`${client.id} ${claims.jti}`), until: claims.exp + skewSeconds + rememberedLongerSeconds }
}

interface Read {
  readonly kid: string | undefined
  readonly claims: z.infer<typeof claims>
  readonly signed: Buffer
  readonly signature: Buffer
}

function read(assertion: string): Read | undefined {
  if (assertion.length > maxLength) return undefined
  const [, head = '', payload = '', tail = ''] = shape.exec(assertion) ?? []
  const parsedHeader = header.safeParse(json(head))
  const parsedClaims = claims.safeParse(json(payload))
  const signature = canonical(tail)
  if (!parsedHeader.success || !parsedClaims.success || signature === undefined) return undefined
  const signed = Buffer.from(`${head}.${payload}`, 'ascii')
  return { kid: parsedHeader.data.kid, claims: parsedClaims.data, signed, signature }
}

/** Two spellings of one assertion would be two assertions to whoever counts strings. */
function canonical(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url')
  return bytes.length > 0 && bytes.toString('base64url') === text ? bytes : undefined
}

function json(text: string): unknown {
  const bytes = canonical(text)
  if (bytes === undefined) return undefined
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch {
    return undefined
  }
}

/** Importing a key takes as long as half a verification. */
const imported = new Map<string, KeyObject>()
const mostImported = 1_000

function keyObject({ x }: ClientKey): KeyObject {
  let key = imported.get(x)
  if (key === undefined) {
    key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
    if (imported.size >= mostImported) imported.clear()
    imported.set(x, key)
  }
  return key
}
