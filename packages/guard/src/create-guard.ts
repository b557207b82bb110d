import { type Clock, isRejection, type Principal, systemClock, TokenRejected, type Verifier } from '@countersign/tokens'
import { checkOptions } from './check-options.ts'
import type { Decision } from './decision.ts'
import { createReports, type DecisionReport } from './decision-report.ts'
import { GuardError } from './errors.ts'
import type { GuardEvent } from './events.ts'
import type { AdmitRequest, Guard, PrincipalEnd } from './guard.ts'
import { type Introspect, introspectInTime } from './introspection.ts'
import { createIssuerVerifier, type IssuerVerifier, type IssuerVerifierOptions } from './issuer-verifier.ts'
import { parseResourceUrl } from './resource-metadata.ts'
import type { Revocations } from './revocations.ts'
import { type Availability, createStaleness, markedScopes } from './staleness.ts'
import { steadyClock } from './steady-clock.ts'
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
   * `followRevocations(…)` of `@countersign/revocation`; closing it is yours. `false`: nobody tells.
   *
   * @default with an issuer, the feed that its metadata names (`countersign_revocations_uri`); with a verifier, nobody
   */
  readonly revocations?: Revocations | false
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
 * With an issuer, keys come from the `jwks_uri` of its metadata (RFC 8414, else OpenID Connect Discovery), and its
 * revocation feed is followed where the metadata names one. Both begin with the first token, or with `whenReady()`.
 *
 * @throws GuardError `bad_option`; TokensError and RevocationError for what verifier and feed do not accept
 *
 * @example The guard of one consumer in a matrix
 * const guard = createGuard({ issuer: 'https://auth.example.com', consumer: consumers['agent-api'] })
 * const decision = await guard.admit({ token, scopes: ['agents:read'] })
 */
export function createGuard<Scope extends string = string>(options: GuardOptions<Scope>): Guard<Scope> {
  checkOptions(options)
  const { consumer, introspect, onEvent, clock = systemClock } = options
  const resource = options.resource ?? consumer?.resource
  if (resource !== undefined) parseResourceUrl(resource)
  const steady = steadyClock(clock)
  const { verifier, audience, revocations, whenReady, close } = chooseVerifier(options, steady)
  const startReport = onEvent === undefined ? undefined : createReports(onEvent, clock)
  let closed = false

  /** Whatever stands for yes, a promise too: a port without types must not revoke in vain. */
  const isRevoked = (principal: Principal): boolean => Boolean(revocations?.isRevoked(principal))
  const staleness = createStaleness(revocations, markedScopes(consumer?.scopes, 'sensitive'))
  const changing = markedScopes(consumer?.scopes, 'sideEffects')
  /** A monitor looks and touches nothing, whatever its token is for. */
  const holds = ({ scopes, synthetic }: Principal, scope: string): boolean =>
    scopes.has(scope) && !(synthetic === true && changing.has(scope))
  /** Also one of a verifier that does not say when: whoever cannot be seen to live on has ended. */
  const hasEnded = ({ expiresAt }: Principal): boolean => !(clock.now() < expiresAt)
  const endOf = ({ principal, availability }: Pick<Watch, 'principal' | 'availability'>): PrincipalEnd | undefined => {
    if (hasEnded(principal)) return { reason: 'expired' }
    if (isRevoked(principal)) return { reason: 'revoked' }
    return staleness.isOver(availability) ? { reason: 'stale' } : undefined
  }
  const watches = createWatches(clock, endOf, onEvent)
  const stops = [
    revocations?.onChange((added) => watches.check(added)),
    revocations?.onFreshness?.((level) => {
      if (level === 'stale') watches.check()
    }),
  ]

  /** Everything after the token; `undefined` when the revocation news are too old to say. */
  const weigh = (request: AdmitRequest<Scope>, principal: Principal): Decision | undefined => {
    const { scopes = [], proof, availability } = request
    if (isRevoked(principal)) return { admitted: false, code: 'revoked' }
    // No proof is checked here, so one that was sent cannot count as good, nor a bound token as unbound.
    if (proof !== undefined) return { admitted: false, code: 'proof_invalid' }
    if (principal.confirmationKey !== undefined) return { admitted: false, code: 'proof_required' }
    for (const scope of scopes) {
      if (holds(principal, scope)) continue
      const missingScopes = scopes.filter((each) => !holds(principal, each))
      return { admitted: false, code: 'insufficient_scope', missingScopes, principal }
    }
    return staleness.isLate(scopes, availability) ? undefined : { admitted: true, principal }
  }

  const decideLate = async (token: string, principal: Principal, availability?: Availability): Promise<Decision> => {
    if (availability !== 'introspect' || introspect === undefined) {
      throw new TokenRejected('revocations_stale', 'The revocation news are too old to decide.')
    }
    let isActive: boolean
    try {
      isActive = await introspectInTime(introspect, token, clock)
    } catch (cause) {
      throw new TokenRejected('revocations_stale', 'The issuer could not be asked about the token.', { cause })
    }
    // News may have come meanwhile.
    if (!isActive || isRevoked(principal)) return { admitted: false, code: 'revoked' }
    return { admitted: true, principal }
  }

  const toDenial = (rejection: unknown, report: DecisionReport | undefined): Decision => {
    if (!isRejection(rejection)) throw toError(rejection)
    report?.rejected(rejection)
    const { code } = rejection
    const undecided = code === 'keys_unavailable' || code === 'revocations_stale'
    return { admitted: false, code, ...(undecided ? { retryAfterSeconds } : {}) }
  }

  /** What needs no waiting: waiting alone takes longer than finding a remembered token. */
  const judgeNow = (request: AdmitRequest<Scope>, report: DecisionReport | undefined): Decision | undefined => {
    const { token, invalidRequest } = request
    if (invalidRequest === true) return { admitted: false, code: 'invalid_request' }
    if (token === undefined || token === '') return { admitted: false, code: 'no_token' }
    steady.hold()
    try {
      const principal = verifier.recall?.(token)
      return principal === undefined ? undefined : weigh(request, principal)
    } catch (rejection) {
      return toDenial(rejection, report)
    } finally {
      steady.release()
    }
  }

  const judge = async (request: AdmitRequest<Scope>, report: DecisionReport | undefined): Promise<Decision> => {
    const { token = '', availability } = request
    try {
      const principal = await verifier.verify(token)
      return weigh(request, principal) ?? (await decideLate(token, principal, availability))
    } catch (rejection) {
      return toDenial(rejection, report)
    }
  }

  const checkUse = ({ availability }: AdmitRequest<Scope>): void => {
    if (closed) throw new GuardError('closed', 'The guard is closed.')
    if (availability === 'introspect' && introspect === undefined) {
      throw new GuardError('no_introspection', 'The guard has no `introspect` to ask.')
    }
  }

  const guard: Guard<Scope> = {
    audience,
    issuer: options.issuer,
    resource,
    scopes: consumer === undefined ? undefined : scopesOf(consumer),
    canIntrospect: introspect !== undefined,
    async admit(request) {
      checkUse(request)
      const report = startReport?.(request)
      let decision: Decision
      try {
        decision = judgeNow(request, report) ?? (await judge(request, report))
      } catch (cause) {
        report?.failed(cause)
        throw cause
      }
      report?.decided(decision)
      return decision
    },
    permits(principal, scopes, { availability } = {}) {
      if (!scopes.every((scope) => holds(principal, scope)) || hasEnded(principal)) return false
      return !isRevoked(principal) && !staleness.isLate(scopes, availability)
    },
    watch(principal, onEnd, { availability } = {}) {
      if (closed) throw new GuardError('closed', 'The guard is closed.')
      return watches.add(principal, onEnd, availability)
    },
    whenReady,
    async close() {
      closed = true
      for (const stop of stops) stop?.()
      watches.clear()
      await close()
    },
  }
  /** For this very guard: whatever stands before it or over it, with an `admit` of its own, must not be passed by. */
  function admitNow(this: unknown, request: AdmitRequest<Scope>): Decision | undefined {
    if (this !== guard) return undefined
    checkUse(request)
    const report = startReport?.(request)
    let decision: Decision | undefined
    try {
      decision = judgeNow(request, report)
    } catch (cause) {
      report?.failed(cause)
      throw cause
    }
    if (decision !== undefined) report?.decided(decision)
    return decision
  }
  // Not enumerable, so that a guard which is spread from this one has to be asked itself.
  return Object.defineProperty(guard, 'admitNow', { value: admitNow })
}

/** Routers take some of what is no error for "go on": a port that throws `undefined` must not open a door. */
function toError(cause: unknown): Error {
  return cause instanceof Error ? cause : new Error('What the guard asks threw something that is no error.', { cause })
}

interface ChosenVerifier extends IssuerVerifier {
  readonly audience: string | undefined
}

function chooseVerifier<Scope extends string>(options: GuardOptions<Scope>, clock: Clock): ChosenVerifier {
  if ('verifier' in options) {
    const { verifier, consumer } = options
    const revocations = options.revocations || undefined
    const whenReady = async (): Promise<void> => revocations?.whenReady?.()
    return { verifier, audience: consumer?.audience, revocations, whenReady, close: async () => {} }
  }
  const { issuer, consumer } = options
  const audience = options.audience ?? consumer?.audience
  if (audience === undefined) throw new GuardError('bad_option', 'Give `audience` or `consumer` beside `issuer`.')
  if (consumer !== undefined && audience !== consumer.audience) {
    throw new GuardError('bad_option', '`audience` differs from that of `consumer`.')
  }
  const { revocations, onEvent } = options
  return { audience, ...createIssuerVerifier(issuer, audience, consumer, options, { clock, onEvent, revocations }) }
}

function scopesOf<Scope extends string>(consumer: ConsumerLike<Scope>): readonly Scope[] {
  return Object.freeze(Object.keys(consumer.scopes) as Scope[])
}
