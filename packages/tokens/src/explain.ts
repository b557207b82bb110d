import { systemClock } from './clock.ts'
import { createVerifier } from './create-verifier.ts'
import { readableText } from './internal/readable-text.ts'
import { type Profile, rfc9068 } from './profile.ts'
import { isRejection, type RejectionCode, remedyFor } from './rejection.ts'
import { defaultMaxLifeSeconds, type VerifierOptions } from './verifier-options.ts'

/** What became of a token, for whoever has to mend it. Holds no part of the token but single values, cut and cleaned. */
export type Explanation =
  | { readonly accepted: true }
  | {
      readonly accepted: false
      readonly code: RejectionCode
      /** What failed, in a sentence. */
      readonly failed: string
      /** The part that failed: `token`, `header.alg`, `signature`, `claims.aud`, … */
      readonly where: string
      /** The setting that decided: `algorithms`, `audience`, `keys`, …; absent when no setting could help. */
      readonly setting?: string
      /** What the setting asks for. */
      readonly expected?: string
      /** What the token says there; for claims only once the signature holds. */
      readonly found?: string
      readonly remedy: string
    }

/** Where each code is decided when the rejection does not say: a guard's own codes come from before or after us. */
const usual: Readonly<Record<RejectionCode, readonly [where: string, setting?: string]>> = {
  no_token: ['request'],
  invalid_request: ['request'],
  malformed: ['token'],
  unsupported_alg: ['header.alg', 'algorithms'],
  unknown_key: ['header.kid', 'keys'],
  bad_signature: ['signature', 'keys'],
  wrong_type: ['header.typ', 'profile'],
  wrong_issuer: ['claims.iss', 'issuer'],
  wrong_audience: ['claims.aud', 'audience'],
  bad_claims: ['claims', 'profile'],
  expired: ['claims.exp', 'clockToleranceSeconds'],
  not_yet_valid: ['claims.nbf', 'clockToleranceSeconds'],
  revoked: ['claims', 'isRevoked'],
  insufficient_scope: ['claims.scope', 'scopes'],
  proof_required: ['claims.cnf', 'proof'],
  proof_invalid: ['proof', 'proof'],
  keys_unavailable: ['header.kid', 'keys'],
  revocations_stale: ['revocations', 'revocations'],
}

/** Codes that are decided before the signature: claims of such a token are anybody's words. */
const beforeSignature: ReadonlySet<RejectionCode> = new Set([
  'no_token',
  'invalid_request',
  'malformed',
  'unsupported_alg',
  'unknown_key',
  'bad_signature',
  'keys_unavailable',
])

/** Of the verifier's clock, as the claims write it and as people do. */
function nowIn({ clock = systemClock }: VerifierOptions): string {
  const now = Math.floor(clock.now())
  return `now, ${now} (${new Date(now * 1000).toISOString()})`
}

function expectedType(where: string, { types, required, forbidden }: Profile): string | undefined {
  if (where === 'header.typ') return types.map((type) => (type === '' ? 'none' : type)).join(', ')
  const claim = where.slice('claims.'.length)
  return Object.hasOwn(required, claim) ? required[claim] : forbidden.includes(claim) ? 'none' : undefined
}

function expectedOf(
  code: RejectionCode,
  where: string,
  setting: string | undefined,
  options: VerifierOptions,
): string | undefined {
  const { profile = rfc9068, algorithms = profile.algorithms } = options
  if (where === 'claims.iss') return options.issuer
  if (where === 'claims.aud' || where === 'claims.azp') return options.audience
  if (where === 'header.alg') return setting === 'keys' ? undefined : algorithms.join(', ')
  if (code === 'wrong_type') return expectedType(where, profile)
  if (setting === 'maxLifeSeconds') return `at most ${options.maxLifeSeconds ?? defaultMaxLifeSeconds} s after "iat"`
  if (code === 'expired' && where === 'claims.exp') return `later than ${nowIn(options)}`
  const isTime = where === 'claims.nbf' || where === 'claims.iat'
  if (code === 'not_yet_valid' && isTime) return `not later than ${nowIn(options)}`
  return undefined
}

/**
 * Explains any refusal, also one that a guard decided.
 *
 * @param error a `TokenRejected`
 */
export function explainRejection(
  error: {
    readonly code: RejectionCode
    readonly message: string
    readonly where?: unknown
    readonly setting?: unknown
  },
  options?: VerifierOptions,
  token?: string,
): Explanation {
  const [usualWhere, usualSetting] = usual[error.code]
  const where = typeof error.where === 'string' ? error.where : usualWhere
  const setting = typeof error.setting === 'string' ? error.setting : usualSetting
  const readable = where.startsWith('header.') || (where.startsWith('claims.') && !beforeSignature.has(error.code))
  const expected = options === undefined ? undefined : expectedOf(error.code, where, setting, options)
  const found = token === undefined || !readable || where === 'header.kid' ? undefined : readableText(token, where)
  return {
    accepted: false,
    code: error.code,
    failed: error.message,
    where,
    ...(setting === undefined ? undefined : { setting }),
    ...(expected === undefined ? undefined : { expected }),
    ...(found === undefined ? undefined : { found }),
    remedy: remedyFor(error.code, { where, setting }),
  }
}

/**
 * Verifies a token as a verifier with these options would, and says which check fails, where, by which setting, and what
 * to do about it.
 *
 * @throws TokensError as `createVerifier` does; whatever is no refusal comes through
 */
export async function explain(token: string, options: VerifierOptions): Promise<Explanation> {
  const verifier = createVerifier({ ...options, cache: false })
  try {
    await verifier.verify(token)
    return { accepted: true }
  } catch (error) {
    if (!isRejection(error)) throw error
    return explainRejection(error, options, token)
  }
}
