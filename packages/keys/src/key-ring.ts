import type { AccessTokenClaims, KeySource, PublicJwk, TokenSigner } from '@countersign/tokens'
import type { KeyState } from './document.ts'
import type { AuditActor } from './ports.ts'

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

export interface KeyRing {
  readonly name: string
  readonly issuer: string
  readonly algorithm: 'EdDSA' | 'ES256'
  /** Changes its fields in place as the ring changes; read it anew for each answer. */
  readonly jwks: PublishedJwks
  /** For verifying this ring's own tokens without HTTP. */
  readonly keys: KeySource
  /** The active key. Read it anew for each signature. */
  readonly signer: TokenSigner
  /** Checks the claims and signs with the active key. */
  sign(claims: TokenRequest): Promise<string>
  status(): KeyRingStatus
  /** Makes sure that there is a standby; activates it if lawful; otherwise says when and what it waits for. */
  rotate(options?: Requested): Promise<RotateOutcome>
  /** @throws KeysError `too_early` with the instant when the propagation wait is not over */
  activate(kid: string, options?: Requested): Promise<void>
  /** Reads the store again now. */
  refresh(): Promise<void>
  /** Stops the scheduler and the watching of the store. */
  close(): Promise<void>
}
