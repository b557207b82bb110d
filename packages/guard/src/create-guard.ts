import { type Clock, isRejection, type Principal, systemClock, TokenRejected, type Verifier } from '@countersign/tokens'
import type { Decision } from './decision.ts'
import { GuardError } from './errors.ts'
import type { EventBasis, GuardEvent } from './events.ts'
import type { AdmitRequest, Guard, PrincipalEnd } from './guard.ts'
import { type Introspect, introspectInTime } from './introspection.ts'
import { createIssuerVerifier, type IssuerVerifierOptions } from './issuer-verifier.ts'
import { parseResourceUrl } from './resource-metadata.ts'
import type { Revocations } from './revocations.ts'
import { createStaleness, sensitiveScopes } from './staleness.ts'
import { createAlgorithmReader } from './token-algorithm.ts'
import { createWatches, type Watch } from './watches.ts'

/** Seconds that a caller is asked to wait when keys cannot be had. */
const retryAfterSeconds = 5

/** An entry of a consumer matrix, taken structurally. */
export interface ConsumerLike<Scope extends string = string> {
  readonly audience: string
  readonly scopes: Readonly<Record<Scope, unknown>>
  readonly resource?: string
  /** A token that lives longer is refused. */
  readonly accessTokenLifeSeconds?: number
  /** Tokens signed otherwise are refused. */
  readonly algorithm?: 'EdDSA' | 'ES256'
}

interface CommonOptions {
  /**
   * Tells which principals were revoked: asked at admission, for each message, and for whoever is watched.
   * `followRevocations(…)` of `@countersign/revocation`; closing it is yours.
   */
  readonly revocations?: Revocations
  /** Asked where a route says `introspect` and revocation news are late. */
  readonly introspect?: Introspect
  /** Where the consumer answers, if no consumer entry says so (RFC 9728): https, or http on loopback. */
  readonly resource?: string
  readonly clock?: Clock
  /** Called synchronously, so it does no more than count or enqueue. Must not throw. */
  readonly onEvent?: (event: GuardEvent) => void
}

/** A guard over any verifier: ours, Clerk's, a cut-over's. */
export interface VerifierGuardOptions<Scope extends string = string> extends CommonOptions {
  readonly verifier: Verifier
  /** For the metadata of RFC 9728 only: the verifier checks its own. */
  readonly issuer?: string
  readonly consumer?: ConsumerLike<Scope>
}

/** A guard that builds the usual verifier, for an issuer and an audience. */
export interface IssuerGuardOptions<Scope extends string = string> extends CommonOptions, IssuerVerifierOptions {
  /** Exactly as in the tokens' `iss`. */
  readonly issuer: string
  /** One of `audience` and `consumer`. */
  readonly audience?: string
  readonly consumer?: ConsumerLike<Scope>
}

export type GuardOptions<Scope extends string = string> = VerifierGuardOptions<Scope> | IssuerGuardOptions<Scope>

/**
 * The guard that every transport shares.
 *
 * With an issuer, keys come from the `jwks_uri` of its metadata (RFC 8414, else OpenID Connect Discovery), read when
 * the first token arrives; `jwksUrl` says it outright and saves that request.
 *
 * @throws GuardError `bad_option`; TokensError for what the verifier does not accept
 *
 * @example The guard of one consumer in a matrix
 * const guard = createGuard({ issuer: 'https://auth.example.com', consumer: consumers['agent-api'] })
 * const decision = await guard.admit({ token, scopes: ['agents:read'] })
 */
export function createGuard<Scope extends string = string>(options: GuardOptions<Scope>): Guard<Scope> {
  const { consumer, revocations, introspect, onEvent, clock = systemClock } = options
  const resource = options.resource ?? consumer?.resource
  if (resource !== undefined) parseResourceUrl(resource)
  const { verifier, audience, close } = chooseVerifier(options, clock)
  const algorithmOf = createAlgorithmReader()
  let closed = false

  const staleness = createStaleness(revocations, sensitiveScopes(consumer?.scopes))
  const endOf = ({ principal, availability }: Pick<Watch, 'principal' | 'availability'>): PrincipalEnd | undefined => {
    if (clock.now() >= principal.expiresAt) return { reason: 'expired' }
    if (revocations?.isRevoked(principal) === true) return { reason: 'revoked' }
    return staleness.isOver(availability) ? { reason: 'stale' } : undefined
  }
  const watches = createWatches(clock, endOf)
  const stops = [
    revocations?.onChange((added) => watches.check(added)),
    revocations?.onFreshness?.((level) => {
      if (level === 'stale') watches.check()
    }),
  ]

  /** Everything after the token; `undefined` when the revocation news are too old to say. */
  const weigh = (request: AdmitRequest<Scope>, principal: Principal): Decision | undefined => {
    const { scopes = [], proof, availability } = request
    if (revocations?.isRevoked(principal) === true) return { admitted: false, code: 'revoked' }
    // No proof is checked here, so one that was sent cannot count as good, nor a bound token as unbound.
    if (proof !== undefined) return { admitted: false, code: 'proof_invalid' }
    if (principal.confirmationKey !== undefined) return { admitted: false, code: 'proof_required' }
    const missingScopes = missingOf(scopes, principal.scopes)
    if (missingScopes.length > 0) return { admitted: false, code: 'insufficient_scope', missingScopes }
    return staleness.isLate(scopes, availability) ? undefined : { admitted: true, principal }
  }

  const decideLate = async (request: AdmitRequest<Scope>, principal: Principal): Promise<Decision> => {
    if (request.availability !== 'introspect' || introspect === undefined || request.token === undefined) {
      throw new TokenRejected('revocations_stale', 'The revocation news are too old to decide.')
    }
    let isActive: boolean
    try {
      isActive = await introspectInTime(introspect, request.token, clock)
    } catch (cause) {
      throw new TokenRejected('revocations_stale', 'The issuer could not be asked about the token.', { cause })
    }
    // News may have come meanwhile.
    if (!isActive || revocations?.isRevoked(principal) === true) return { admitted: false, code: 'revoked' }
    return { admitted: true, principal }
  }

  /** One function and one wait for the usual request: each more of them costs as much as finding a remembered token. */
  const judge = async (request: AdmitRequest<Scope>, seen?: (rejection: TokenRejected) => void): Promise<Decision> => {
    try {
      if (request.invalidRequest === true) return { admitted: false, code: 'invalid_request' }
      if (request.token === undefined || request.token === '') return { admitted: false, code: 'no_token' }
      const principal = await verifier.verify(request.token)
      return weigh(request, principal) ?? (await decideLate(request, principal))
    } catch (rejection) {
      if (!isRejection(rejection)) throw rejection
      seen?.(rejection)
      const { code } = rejection
      const undecided = code === 'keys_unavailable' || code === 'revocations_stale'
      return { admitted: false, code, ...(undecided ? { retryAfterSeconds } : {}) }
    }
  }

  const reported = async (request: AdmitRequest<Scope>, report: (event: GuardEvent) => void): Promise<Decision> => {
    const startMs = clock.monotonicMs()
    const decided = () => {
      const algorithm = request.token === undefined ? undefined : algorithmOf(request.token)
      return {
        surface: request.surface ?? 'other',
        ...(algorithm === undefined ? {} : { algorithm }),
        durationMs: clock.monotonicMs() - startMs,
      }
    }
    let rejection: TokenRejected | undefined
    let decision: Decision
    try {
      decision = await judge(request, (seen) => {
        rejection = seen
      })
    } catch (cause) {
      report({ type: 'error', ...decided(), cause })
      throw cause
    }
    report(toEvent(decision, rejection, decided()))
    return decision
  }

  return {
    audience,
    issuer: options.issuer,
    resource,
    scopes: consumer === undefined ? undefined : scopesOf(consumer),
    canIntrospect: introspect !== undefined,
    admit(request) {
      if (closed) return Promise.reject(new GuardError('closed', 'The guard is closed.'))
      if (request.availability === 'introspect' && introspect === undefined) {
        return Promise.reject(new GuardError('no_introspection', 'The guard has no `introspect` to ask.'))
      }
      return onEvent === undefined ? judge(request) : reported(request, onEvent)
    },
    permits(principal, scopes, { availability } = {}) {
      if (!scopes.every((scope) => principal.scopes.has(scope)) || clock.now() >= principal.expiresAt) return false
      return revocations?.isRevoked(principal) !== true && !staleness.isLate(scopes, availability)
    },
    watch(principal, onEnd, { availability } = {}) {
      if (closed) throw new GuardError('closed', 'The guard is closed.')
      const ended = (end: PrincipalEnd): void => {
        onEvent?.({ type: 'ended', reason: end.reason })
        onEnd(end)
      }
      return watches.add(principal, ended, availability)
    },
    async close() {
      closed = true
      for (const stop of stops) stop?.()
      watches.clear()
      await close()
    },
  }
}

const nothing: readonly never[] = []

function missingOf<Scope extends string>(needed: readonly Scope[], held: ReadonlySet<string>): readonly Scope[] {
  return needed.every((scope) => held.has(scope)) ? nothing : needed.filter((scope) => !held.has(scope))
}

function toEvent(decision: Decision, rejection: TokenRejected | undefined, decided: EventBasis): GuardEvent {
  if (decision.admitted) return { type: 'admitted', ...decided }
  const { code } = decision
  if (decision.retryAfterSeconds !== undefined) return { type: 'error', ...decided, code, cause: rejection?.cause }
  const where = rejection?.where
  const setting = rejection?.setting
  return {
    type: 'denied',
    ...decided,
    code,
    ...(where === undefined ? {} : { where }),
    ...(setting === undefined ? {} : { setting }),
  }
}

interface ChosenVerifier {
  readonly verifier: Verifier
  readonly audience: string | undefined
  close(): Promise<void>
}

function chooseVerifier<Scope extends string>(options: GuardOptions<Scope>, clock: Clock): ChosenVerifier {
  if ('verifier' in options) {
    return { verifier: options.verifier, audience: options.consumer?.audience, close: async () => {} }
  }
  const { issuer, consumer } = options
  const audience = options.audience ?? consumer?.audience
  if (audience === undefined) throw new GuardError('bad_option', 'Give `audience` or `consumer` beside `issuer`.')
  if (consumer !== undefined && audience !== consumer.audience) {
    throw new GuardError('bad_option', '`audience` differs from that of `consumer`.')
  }
  return { audience, ...createIssuerVerifier(issuer, audience, consumer, options, clock, options.revocations) }
}

function scopesOf<Scope extends string>(consumer: ConsumerLike<Scope>): readonly Scope[] {
  return Object.freeze(Object.keys(consumer.scopes) as Scope[])
}
