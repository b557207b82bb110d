import { explainRejection, type RejectionCode, type TokenRejected } from '@countersign/tokens'
import { decodeToken, explainShape } from './decode-token.ts'
import { fromNow, instant } from './times.ts'
import { matrixSource, type VerificationSettings } from './verification.ts'

/** Why a token was refused, for the operator. Nothing in it is the token or lets it be put together. */
export interface Explanation {
  readonly code: RejectionCode
  /** Which of the checks, in the order in which they are made: shape, algorithm, key, signature, type, claims, time, revocation. */
  readonly check: string
  readonly where: string
  readonly found: string | null
  readonly expected: string | null
  /** The verifier's setting that decided, and where its value came from; null: no setting changes this check. */
  readonly setting: string | null
  readonly message: string
  /** What else is known of the matter. */
  readonly hint: string | null
  readonly remedy: string
}

const checks: Readonly<Partial<Record<RejectionCode, string>>> = {
  malformed: 'shape',
  unsupported_alg: 'algorithm',
  unknown_key: 'key',
  keys_unavailable: 'key',
  bad_signature: 'signature',
  wrong_type: 'type',
  bad_claims: 'claims',
  wrong_issuer: 'issuer',
  wrong_audience: 'audience',
  expired: 'time',
  not_yet_valid: 'time',
  revoked: 'revocation',
}

/** A time claim as people read it. */
function readable(found: string, where: string, now: number): string {
  const seconds = /^claims\.(?:exp|iat|nbf)$/u.test(where) ? Number(found) : Number.NaN
  return Number.isFinite(seconds) ? `${instant(seconds)} (${fromNow(seconds, now)})` : found
}

/** What tokens alone cannot know: the matrix, the clock, where the keys came from. */
function expectedFor(
  code: RejectionCode,
  where: string,
  settings: VerificationSettings,
  now: number,
): string | undefined {
  if (code === 'unsupported_alg') return settings.algorithms.join(' or ')
  if (code === 'unknown_key') return `a key of ${settings.sources.keys}`
  if (code === 'wrong_audience' && settings.sources.audience === matrixSource) return settings.audiences.join(' or ')
  if (code === 'wrong_type' && where === 'header.typ')
    return `typ ${settings.profile.types.filter((type) => type !== '').join(' or ')}`
  if (code === 'expired') return `later than ${instant(now)}`
  if (code === 'not_yet_valid') return `not later than ${instant(now)}`
  return undefined
}

function settingFor(setting: string | undefined, { sources }: VerificationSettings): string | null {
  if (setting === 'issuer' || setting === 'audience' || setting === 'keys' || setting === 'profile') {
    return `${setting}: ${sources[setting]}`
  }
  // Revocation is a fact in the issuer's store here, no setting.
  return setting === undefined || setting === 'isRevoked' ? null : setting
}

/** What the ring or the token's look says beyond the code. */
function hintFor(
  { code }: TokenRejected,
  token: string,
  { keyStatus }: VerificationSettings,
  now: number,
): string | null {
  if (code === 'malformed' || code === 'bad_signature') return explainShape(token) ?? null
  const { header } = decodeToken(token)
  const kid = header?.kid
  if (code === 'unknown_key' && typeof kid === 'string') {
    const key = keyStatus(kid)
    if (key === undefined) return null
    const at = key.revokedAt ?? key.retiredAt
    return `This service had that key; it is ${key.state}${at === null ? '' : ` since ${instant(at)}`}.`
  }
  if (code === 'unsupported_alg' && typeof header?.alg === 'string') {
    if (/^none$/iu.test(header.alg)) return 'Such a token is not signed at all: whoever sent it may be an attacker.'
    if (/^HS\d+$/u.test(header.alg)) return 'It was signed with a shared secret, by something else than this issuer.'
  }
  if (code === 'expired') {
    const { claims } = decodeToken(token)
    if (typeof claims?.iat === 'number' && now - claims.iat < 0) return 'Its issue lies ahead: the clocks disagree.'
  }
  return null
}

/** The explanation that `tokens` gives, with what is known here beyond it. */
export function explainRefusal(
  rejection: TokenRejected,
  token: string,
  settings: VerificationSettings,
  now: number,
): Explanation {
  const { issuer, audience, keys, algorithms, profile } = settings
  const told = explainRejection(rejection, { issuer, audience, keys, algorithms, profile }, token)
  if (told.accepted) throw new TypeError('A refusal was explained as accepted.')
  const { code, where, setting, found, failed, remedy } = told
  return {
    code,
    check: checks[code] ?? code,
    where,
    found: found === undefined ? null : readable(found, where, now),
    expected: expectedFor(code, where, settings, now) ?? told.expected ?? null,
    setting: settingFor(setting, settings),
    message: failed,
    hint: hintFor(rejection, token, settings, now),
    remedy,
  }
}
