import * as z from 'zod'
import { engine } from '#engine'
import { type Clock, systemClock } from './clock.ts'
import type { HmacKey } from './engine-contract.ts'
import { importHs256Secret } from './internal/hs256-secret.ts'
import { KnownHeaders, type OpenToken, openSignature, openToken } from './internal/open-token.ts'
import { clockProblem, isClock, optionProblem } from './internal/option-problem.ts'
import { type Expectations, readPrincipal } from './internal/read-principal.ts'
import { reject } from './internal/reject.ts'
import { revocationCheck } from './internal/revocation-check.ts'
import { parseStrictObject } from './internal/strict-json.ts'
import type { Principal, Verifier } from './principal.ts'
import type { Profile } from './profile.ts'
import type { Hs256Key } from './sign-hs256.ts'
import { TokensError } from './tokens-error.ts'

export interface Hs256Options {
  /** What `iss` must equal, and the principal's issuer. */
  readonly issuer: string
  /** What `aud` must equal, and the principal's audience. */
  readonly audience: string
  /** 1 to 4 secrets. A token with a `kid` is checked by the key of that id only, one without by those that have none. */
  readonly keys: readonly Hs256Key[]
  /** Claims that the legacy tokens do not have. `sub` and `exp` are always wanted. @default [] */
  readonly missing?: readonly ('iss' | 'aud' | 'iat' | 'jti' | 'client_id' | 'scope')[]
  /** `'scopes'` reads an array of that name instead of `scope`. @default 'scope' */
  readonly scopeClaim?: 'scope' | 'scopes'
  /** Accepted `typ` of the header, lower case; an empty string accepts none. @default ['jwt', ''] */
  readonly types?: readonly string[]
  /** Seconds of clock difference to forgive, 0 to 60. @default 5 */
  readonly clockToleranceSeconds?: number
  /** Longest accepted life, 60 s to 366 days. @default 43_200 (12 h) */
  readonly maxLifeSeconds?: number
  /** Asked last, for every token: true refuses with `revoked`. */
  readonly isRevoked?: (principal: Principal) => boolean
  readonly clock?: Clock
}

/** A {@link Verifier} of legacy tokens. */
export interface Hs256Verifier extends Verifier {
  /** @throws TokensError `sync_unavailable` outside Node */
  verifySync(token: string): Principal
}

const optionsSchema = z.strictObject({
  issuer: z.string().min(1).max(2048),
  audience: z.string().min(1).max(512),
  keys: z
    .array(z.strictObject({ kid: z.string().min(1).max(128).optional(), secret: z.unknown() }))
    .min(1)
    .max(4),
  missing: z.array(z.enum(['iss', 'aud', 'iat', 'jti', 'client_id', 'scope'])).default([]),
  scopeClaim: z.enum(['scope', 'scopes']).default('scope'),
  types: z.array(z.string().max(32)).min(1).default(['jwt', '']),
  clockToleranceSeconds: z.number().min(0).max(60).default(5),
  maxLifeSeconds: z
    .number()
    .min(60)
    .max(366 * 86_400)
    .default(43_200),
  isRevoked: z.custom<unknown>((value) => typeof value === 'function', 'must be a function').optional(),
  clock: z.custom<unknown>(isClock, clockProblem).optional(),
})
type ResolvedOptions = z.infer<typeof optionsSchema>

/** Longest legacy token, in characters. */
const longestToken = 8_192

function resolve(options: Hs256Options): ResolvedOptions {
  const parsed = optionsSchema.safeParse(options)
  if (parsed.success) return parsed.data
  throw new TokensError('bad_option', `createHs256Verifier: ${optionProblem(parsed.error)}`)
}

function profileOf({ missing, types }: ResolvedOptions): Profile {
  return {
    name: 'hs256',
    algorithms: [],
    types,
    audience: 'aud',
    clientId: missing.includes('client_id') ? ['client_id', ''] : ['client_id'],
    optional: (['jti', 'iat', 'scope'] as const).filter((name) => missing.includes(name)),
    required: {},
    forbidden: [],
    organization: ['org_id'],
  }
}

/**
 * Makes a verifier of legacy HS256 tokens, beside which a fleet moves to Ed25519. Its keys sign nothing else, no other
 * algorithm gets in, and no public key is taken for a secret.
 *
 * @throws TokensError `bad_option`, `bad_key`
 */
export function createHs256Verifier(options: Hs256Options): Hs256Verifier {
  const resolved = resolve(options)
  const clock = options.clock ?? systemClock
  const keys = options.keys.map(({ kid, secret }) => ({ kid: kid ?? '', hmac: importHs256Secret(secret) }))
  const profile = profileOf(resolved)
  const expectations: Expectations = {
    issuer: resolved.issuer,
    audience: resolved.audience,
    profile,
    toleranceSeconds: resolved.clockToleranceSeconds,
    maxLifeSeconds: resolved.maxLifeSeconds,
  }
  const checkRevoked = revocationCheck(options.isRevoked)
  const noHeaders = new KnownHeaders()

  function open(token: string): { opened: OpenToken; signature: Uint8Array; candidates: HmacKey[] } {
    const opened = openToken(token, longestToken, noHeaders, { kidOptional: true })
    const signature = openSignature(opened)
    const { alg, kid } = opened.header
    if (alg !== 'HS256') return reject('unsupported_alg', 'header.alg', 'The algorithm is not HS256.')
    const candidates = keys.filter((key) => key.kid === kid).map((key) => key.hmac)
    if (candidates.length === 0) return reject('unknown_key', 'header.kid', 'No secret has this id.', 'keys')
    return { opened, signature, candidates }
  }

  /** Fills in what the configuration says is missing; what is there must still be right. */
  function normalize(claims: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
    const { missing, issuer, audience, scopeClaim } = resolved
    const filled: Record<string, unknown> = { ...claims }
    // Not `??=`: a null is there, and wrong.
    if (missing.includes('iss') && claims.iss === undefined) filled.iss = issuer
    if (missing.includes('aud') && claims.aud === undefined) filled.aud = audience
    if (scopeClaim === 'scopes') {
      const { scopes } = claims
      // One with a space inside would come apart into scopes that nobody gave.
      const isList = Array.isArray(scopes) && scopes.every((scope) => typeof scope === 'string' && !scope.includes(' '))
      if (isList) filled.scope = scopes.join(' ')
      else if (scopes === undefined) delete filled.scope
      else return reject('bad_claims', 'claims.scopes', 'The claim "scopes" is not an array of text.', 'scopeClaim')
    }
    return filled
  }

  function finish(holds: boolean, { header, payload }: OpenToken): Principal {
    if (!holds) return reject('bad_signature', 'signature', 'The signature does not hold.', 'keys')
    if (!profile.types.includes(header.type)) {
      return reject('wrong_type', 'header.typ', 'The token has another type.', 'types')
    }
    const claims = parseStrictObject(payload)
    if (claims === undefined) return reject('malformed', 'claims', 'The payload is not a strict JSON object.')
    const read = readPrincipal(normalize(claims), header.kid || 'hs256', clock.now(), expectations)
    const principal = Object.freeze({ ...read, claims })
    checkRevoked(principal)
    return principal
  }

  return {
    verifySync: (token) => {
      const { opened, signature, candidates } = open(token)
      const data = engine.ascii(token, opened.signedLength)
      const holds = candidates.some(({ verifySync }) => {
        if (verifySync === undefined) {
          throw new TokensError('sync_unavailable', 'This runtime has no synchronous HMAC.')
        }
        return verifySync(data, signature)
      })
      return finish(holds, opened)
    },
    verify: async (token) => {
      const { opened, signature: lent, candidates } = open(token)
      const data = new Uint8Array(engine.ascii(token, opened.signedLength))
      const signature = new Uint8Array(lent)
      let holds = false
      for (const key of candidates) holds ||= await key.verify(data, signature)
      return finish(holds, opened)
    },
  }
}
