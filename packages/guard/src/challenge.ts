import type { RejectionCode } from '@countersign/tokens'
import type { Decision } from './decision.ts'
import { GuardError } from './errors.ts'

export type Denial = Extract<Decision, { admitted: false }>

export interface ChallengeOptions {
  /** Every scope that the route needs, for `scope="…"`. @default the missing ones */
  readonly scopes?: readonly string[]
  /** The URL of the RFC 9728 document: `resourceMetadataUrl(guard)`. */
  readonly resourceMetadata?: string | undefined
  /** Printable ASCII without `"` and `\`, at most 128 characters. */
  readonly realm?: string | undefined
}

/** How a refusal is answered over HTTP. Nothing of the request is in it, and it stays under 2 KB. */
export interface Refusal {
  readonly status: 400 | 401 | 403 | 503
  readonly headers: Readonly<Record<string, string>>
  /** The JSON body. */
  readonly body: { readonly error: string; readonly error_description?: string }
}

interface Answer {
  readonly status: Refusal['status']
  readonly error: string
  readonly description: string
}

const invalidToken: Answer = { status: 401, error: 'invalid_token', description: 'The access token is not accepted' }
const later: Answer = { status: 503, error: 'temporarily_unavailable', description: 'Try again later' }

/** The wire says what RFC 6750 allows and no more; the precise reason is in the guard's events. */
const answers: Readonly<Record<RejectionCode, Answer>> = {
  no_token: { status: 401, error: 'unauthorized', description: 'An access token is needed' },
  invalid_request: {
    status: 400,
    error: 'invalid_request',
    description: 'Send exactly one access token, in the Authorization header',
  },
  malformed: invalidToken,
  unsupported_alg: invalidToken,
  unknown_key: invalidToken,
  bad_signature: invalidToken,
  wrong_type: invalidToken,
  wrong_issuer: invalidToken,
  wrong_audience: invalidToken,
  bad_claims: invalidToken,
  expired: { ...invalidToken, description: 'The access token expired' },
  not_yet_valid: invalidToken,
  revoked: invalidToken,
  proof_required: invalidToken,
  proof_invalid: invalidToken,
  insufficient_scope: { status: 403, error: 'insufficient_scope', description: 'The access token lacks a scope' },
  keys_unavailable: later,
  revocations_stale: later,
}

const quotable = /^[\x20-\x21\x23-\x5b\x5d-\x7e]*$/
const longestScopes = 1024

/**
 * Turns a denial into status, headers and body: 401 and 403 with the RFC 6750 challenge, 400 for a malformed request,
 * 503 with Retry-After where nothing could be decided.
 *
 * The `scope` attribute is left out when it would pass 1,024 characters.
 * @throws GuardError `bad_option` for a realm or URL that cannot stand in a quoted string
 */
export function challenge(denial: Denial, options: ChallengeOptions = {}): Refusal {
  const { status, error, description } = answers[denial.code]
  const body = { error, error_description: description }
  // Refusals depend on the caller's token; no cache may keep one.
  const headers = { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' }
  if (status === 503) {
    const seconds = Math.max(1, Math.ceil(denial.retryAfterSeconds ?? 5))
    return { status, headers: { ...headers, 'Retry-After': String(seconds) }, body }
  }
  const scope = (options.scopes ?? denial.missingScopes ?? []).join(' ')
  const attributes = [
    attribute('realm', options.realm, 128),
    // RFC 6750 section 3.1: without any credentials, no error code.
    ...(denial.code === 'no_token'
      ? []
      : [attribute('error', error, 64), attribute('error_description', description, 128)]),
    scope === '' || scope.length > longestScopes ? undefined : attribute('scope', scope, longestScopes),
    attribute('resource_metadata', options.resourceMetadata, 640),
  ].filter((part) => part !== undefined)
  const value = attributes.length === 0 ? 'Bearer' : `Bearer ${attributes.join(', ')}`
  return { status, headers: { ...headers, 'WWW-Authenticate': value }, body }
}

/** The HTTP status of a refusal with this code. */
export function statusOf(code: RejectionCode): Refusal['status'] {
  return answers[code].status
}

function attribute(name: string, value: string | undefined, longest: number): string | undefined {
  if (value === undefined) return undefined
  if (value.length > longest || !quotable.test(value)) {
    throw new GuardError('bad_option', `${name} cannot stand in a WWW-Authenticate header.`)
  }
  return `${name}="${value}"`
}
