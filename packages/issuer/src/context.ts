import type { Consumer, ExchangeEdge } from '@countersign/consumers'
import type { KeyRing } from '@countersign/keys'
import { type Clock, systemClock } from '@countersign/tokens'
import type { IssuerEvent } from './events.ts'
import { type DeclaredVerifier, declareVerifiers, edgesByClient } from './exchange/policy.ts'
import { checkIssuer, checkRings, type IssuerOptions, type ResolvedLimits, resolveLimits } from './options.ts'
import { createPasswords, type Passwords } from './passwords.ts'
import type { IssuerAuditEvent, IssuerStores } from './ports.ts'
import { createTurns, type Turns } from './turns.ts'

/** A consumer with what every request for it needs, worked out once. */
export interface Resource {
  readonly consumer: Consumer
  readonly ring: KeyRing
  readonly scopes: ReadonlySet<string>
  /** All its scopes, space-separated. */
  readonly allScopes: string
  /** Those that a person gets only if their account names them. */
  readonly byName: ReadonlySet<string>
}

/** What the operations share. */
export interface Context {
  readonly issuer: string
  readonly rings: readonly KeyRing[]
  /** Signs the revocation feed, where there is one. */
  readonly feedRing: KeyRing | undefined
  readonly stores: IssuerStores
  readonly limits: ResolvedLimits
  readonly clock: Clock
  readonly resources: ReadonlyMap<string, Resource>
  /** By resource URL (RFC 8707). */
  readonly byUrl: ReadonlyMap<string, Resource>
  /** Who may exchange: by the client's name and the presented token's audience, with a space between. */
  readonly edges: ReadonlyMap<string, readonly ExchangeEdge[]>
  /** Of other issuers, by their `iss`. */
  readonly subjectVerifiers: ReadonlyMap<string, DeclaredVerifier>
  /** Of all access tokens that it issues. */
  readonly longestLifeSeconds: number
  readonly passwords: Passwords
  readonly turns: Turns
  /** Unix seconds, whole. */
  now(): number
  emit(event: IssuerEvent): void
  /** Resolves when written. @throws AuditFailed */
  audit(event: IssuerAuditEvent): Promise<void>
}

/** Tells a failing audit apart from a failing store; never leaves the package. */
export class AuditFailed extends Error {
  override readonly name = 'AuditFailed'
}

export function createContext(options: IssuerOptions): Context {
  checkIssuer(options.issuer)
  checkRings(options)
  const limits = resolveLimits(options.limits)
  const clock = options.clock ?? systemClock
  const { onEvent, audit } = options
  const resources = new Map<string, Resource>()
  const byUrl = new Map<string, Resource>()
  for (const consumer of Object.values(options.consumers.consumers)) {
    const ring = options.rings.find((candidate) => candidate.algorithm === consumer.algorithm)
    if (ring === undefined) continue
    const names = Object.keys(consumer.scopes)
    const byName = new Set(names.filter((name) => consumer.scopes[name]?.byName === true))
    const resource: Resource = { consumer, ring, scopes: new Set(names), allScopes: names.join(' '), byName }
    resources.set(consumer.audience, resource)
    if (consumer.resource !== undefined) {
      byUrl.set(consumer.resource, resource)
      byUrl.set(new URL(consumer.resource).href, resource)
    }
  }
  return {
    issuer: options.issuer,
    rings: options.rings,
    feedRing: options.feed?.ring,
    stores: options.stores,
    limits,
    clock,
    resources,
    byUrl,
    edges: edgesByClient(options),
    subjectVerifiers: declareVerifiers(options),
    longestLifeSeconds: Math.max(60, ...[...resources.values()].map((one) => one.consumer.accessTokenLifeSeconds)),
    passwords: createPasswords(limits),
    turns: createTurns(),
    now: () => Math.floor(clock.now()),
    emit(event) {
      try {
        onEvent?.(event)
      } catch {
        // A listener's fault must not change what a request is answered.
      }
    },
    async audit(event) {
      if (audit === undefined) return
      try {
        await audit.record(event)
      } catch (cause) {
        throw new AuditFailed('the audit log refused a record', { cause })
      }
    },
  }
}
