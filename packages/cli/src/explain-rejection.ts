import { type RejectionCode, rfc9068, type TokenRejected } from '@countersign/tokens'
import { decodeToken, explainShape } from './decode-token.ts'
import { fromNow, instant } from './times.ts'
import type { VerificationSettings } from './verification.ts'

/** Why a token was refused, for the operator. Nothing in it is the token or lets it be put together. */
export interface Explanation {
  readonly code: RejectionCode
  /** Which of the checks, in the order in which they are made: shape, algorithm, key, signature, type, claims, time, revocation. */
  readonly check: string
  readonly where: string | null
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

/** Longest value that is shown; a claim can be as long as a token. */
const longestShown = 200

/** The value at a place such as `claims.aud`; undefined where it cannot be read or is not one value. */
function valueAt(token: string, where: string | undefined): unknown {
  const [part, name, ...rest] = (where ?? '').split('.')
  if (name === undefined || rest.length > 0 || (part !== 'header' && part !== 'claims')) return undefined
  const members = decodeToken(token)[part]
  return members !== undefined && Object.hasOwn(members, name) ? members[name] : undefined
}

function shown(value: unknown, where: string | undefined, now: number): string | null {
  if (value === undefined) return null
  if (typeof value === 'number' && /^claims\.(?:exp|iat|nbf)$/u.test(where ?? '')) {
    return `${instant(value)} (${fromNow(value, now)})`
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return text.length > longestShown ? `${text.slice(0, longestShown)} …` : text
}

function expectedFor(code: RejectionCode, settings: VerificationSettings, now: number): string | null {
  switch (code) {
    case 'unsupported_alg':
      return settings.algorithms.join(' or ')
    case 'unknown_key':
      return `a key of ${settings.sources.keys}`
    case 'wrong_type':
      return rfc9068.types.join(' or ')
    case 'wrong_issuer':
      return settings.issuer
    case 'wrong_audience':
      return settings.sources.audience === 'the consumer matrix' ? settings.audiences.join(' or ') : settings.audience
    case 'expired':
      return `later than ${instant(now)}`
    case 'not_yet_valid':
      return `not later than ${instant(now)}`
    default:
      return null
  }
}

function settingFor({ setting }: TokenRejected, { sources }: VerificationSettings): string | null {
  if (setting === undefined) return null
  if (setting === 'issuer' || setting === 'audience' || setting === 'keys') return `${setting}: ${sources[setting]}`
  if (setting === 'profile') return `profile: ${rfc9068.name}`
  return setting
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

export function explainRejection(
  rejection: TokenRejected,
  token: string,
  settings: VerificationSettings,
  now: number,
): Explanation {
  const { code, where, message, remedy } = rejection
  return {
    code,
    check: checks[code] ?? code,
    where: where ?? null,
    found: shown(valueAt(token, where), where, now),
    expected: expectedFor(code, settings, now),
    setting: settingFor(rejection, settings),
    message,
    hint: hintFor(rejection, token, settings, now),
    remedy,
  }
}
