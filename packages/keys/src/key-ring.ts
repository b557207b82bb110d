import type { AccessTokenClaims, KeySource, PublicJwk, TokenSigner } from '@countersign/tokens'
import type { KeyState } from './document.ts'
import type { ResolvedKeyPolicy } from './policy.ts'
import type { AuditActor } from './ports.ts'
import type { AgeLevel } from './schedule.ts'

/** What a caller hands to `sign`; `iat`, `exp`, `jti` and `iss` are filled in when absent. */
export type TokenRequest = Omit<AccessTokenClaims, 'iss' | 'exp' | 'iat' | 'jti'> &
  Partial<Pick<AccessTokenClaims, 'iss' | 'exp' | 'iat' | 'jti'>>

/** The public half of the ring, ready to serve. */
export interface PublishedJwks {
  readonly document: { readonly keys: readonly PublicJwk[] }
  /** The canonical JSON of `document`. */
  readonly body: string
  /** Strong, quoted. */
  readonly etag: string
  /** Content-Type, Cache-Control, ETag, Access-Control-Allow-Origin. */
  readonly headers: Readonly<Record<string, string>>
}

export interface KeyStatus {
  readonly kid: string
  readonly state: KeyState
  readonly createdAt: number
  readonly publishedAt: number | null
  readonly activatedAt: number | null
  readonly retiringAt: number | null
  readonly retiredAt: number | null
  readonly revokedAt: number | null
  /** A standby: from when on it may be activated on command; null for other keys. */
  readonly activatableAt: number | null
  /** What happens to it next, when (Unix seconds; null: on command), and what it waits for. */
  readonly next: {
    readonly transition: KeyState
    readonly at: number | null
    readonly waitingFor: readonly string[]
  } | null
}

export interface KeyRingStatus {
  readonly name: string
  readonly algorithm: 'EdDSA' | 'ES256'
  readonly version: number
  readonly activeKid: string | null
  /** How urgent the age of the active key is. */
  readonly age: AgeLevel
  /** How long this process may go on if the store cannot be reached from now on; 0: it signs no more. */
  readonly leaseLeftSeconds: number
  /** When the blackout ends that holds now; null: none does. */
  readonly blackoutUntil: number | null
  readonly keys: readonly KeyStatus[]
}

export type RotateOutcome =
  | { readonly done: true; readonly activeKid: string; readonly previousKid: string }
  | {
      readonly done: false
      readonly standbyKid: string
      readonly activatesAt: number
      readonly waitingFor: readonly string[]
    }

export interface Requested {
  /** For the audit log. @default { type: 'system' } */
  readonly actor?: AuditActor
}

export interface RotateOptions extends Requested {
  /** Goes ahead although a blackout holds. Why; goes into the audit log. Cut after 1,024 characters. */
  readonly emergency?: string
}

export interface ActivateOptions extends RotateOptions {
  /** Does not wait for caches and consumers: some will refuse the new tokens. Why; goes into the audit log. */
  readonly force?: string
}

export interface RevokeOptions extends Requested {
  /** Why; goes into the audit log and the ring. Cut after 1,024 characters. */
  readonly reason: string
  /**
   * What has leaked. `store`: every private key that the store holds counts as known, so all of them are revoked and a
   * fresh key signs. `key`: only the one named; if it was active, the standby signs. @default 'store', or 'key' where a
   * signer keeps the private keys out of the store
   */
  readonly scope?: 'store' | 'key'
}

export interface RevokeOutcome {
  readonly revokedKids: readonly string[]
  readonly activeKid: string
}

export interface RewrapOutcome {
  /** The current key-encryption key; every private key of the ring is sealed under it now. */
  readonly kekId: string
  readonly rewrappedKids: readonly string[]
}

export interface KeyRing {
  readonly name: string
  readonly issuer: string
  readonly algorithm: 'EdDSA' | 'ES256'
  readonly policy: ResolvedKeyPolicy
  /**
   * Changes its fields in place as the ring changes; read them anew for each answer. Reading them throws `lease_expired`
   * when the store was out of reach for longer than the lease: answer 503, so that caches keep what they have.
   */
  readonly jwks: PublishedJwks
  /** For verifying this ring's own tokens without HTTP. */
  readonly keys: KeySource
  /**
   * The active key. Read it anew for each signature. Reading it and signing throw `lease_expired` as {@link jwks} does;
   * signing throws `not_signing` when the key was replaced longer ago than a lease. Tokens must not live longer than the policy's access token life.
   */
  readonly signer: TokenSigner
  /**
   * Checks the claims and signs with the active key. `iss` is the ring's, `iat` now, `exp` the policy's longest life from
   * `iat`, `jti` random, unless given. Reads the store first if the lease is over.
   *
   * @throws KeysError `life_too_long`, `wrong_issuer`, `lease_expired`, `key_too_old`; TokensError `claims_refused`
   */
  sign(claims: TokenRequest): Promise<string>
  status(): KeyRingStatus
  /**
   * Makes sure that there is a standby; activates it if lawful; otherwise says when and what it waits for.
   *
   * @throws KeysError `blackout` with the instant when it ends
   */
  rotate(options?: RotateOptions): Promise<RotateOutcome>
  /** @throws KeysError `too_early`, `blackout`, each with the instant from which it is lawful */
  activate(kid: string, options?: ActivateOptions): Promise<void>
  /**
   * After a compromise: withdraws keys at once and for good; tokens signed with them are refused as soon as verifiers know.
   * Users stay signed in, since refresh tokens are not signed.
   */
  revoke(kid: string, options: RevokeOptions): Promise<RevokeOutcome>
  /** Seals every private key anew that is not under the current key-encryption key. May be repeated. */
  rewrap(options?: Requested): Promise<RewrapOutcome>
  /** Takes every step that is due, as the scheduler would: finishes what a crash has left half done. */
  resume(): Promise<void>
  /** Asks the `confirmations` now who does not have the standby yet, so that {@link status} knows. */
  confirm(): Promise<void>
  /** Reads the store again now. */
  refresh(): Promise<void>
  /** Stops the scheduler and the watching of the store. */
  close(): Promise<void>
}
