import type { PublicJwk } from '@countersign/tokens'

/**
 * `pending` (private key stored) → `published` (in the JWKS, has signed nothing) → `active` (exactly one signs)
 * → `retiring` (verifies only) → `retired` (public half withdrawn, private half destroyed, metadata kept).
 * `revoked`: from any state, terminal. No edge goes back.
 */
export type KeyState = 'pending' | 'published' | 'active' | 'retiring' | 'retired' | 'revoked'

/** One key of a ring. Instants are Unix seconds. */
export interface KeyRecord {
  /** RFC 7638 thumbprint of `publicJwk`, checked on load. */
  readonly kid: string
  readonly state: KeyState
  readonly publicJwk: PublicJwk
  /** The private JWK as a JWE (compact); gone once the key is retired or revoked. */
  readonly sealedPrivateKey?: string
  /** Instead of that: the private key is in a backend and never leaves it. Kept for good, as it is no secret. */
  readonly heldIn?: {
    readonly backend: string
    readonly reference: string
  }
  readonly createdAt: number
  readonly publishedAt?: number
  readonly activatedAt?: number
  /** The longest life of a token that it may have signed, by any process: it stays visible at least as long afterwards. */
  readonly longestLifeSeconds?: number
  /** When its successor began to sign. */
  readonly retiringAt?: number
  readonly retiredAt?: number
  readonly revokedAt?: number
  readonly revokedReason?: string
}

/** A key ring: one versioned document, replaced whole by compare-and-set. */
export interface KeyRingDocument {
  readonly format: 1
  /** The ring's name, such as `tokens`. */
  readonly name: string
  readonly purpose: 'token' | 'feed'
  readonly issuer: string
  readonly algorithm: 'EdDSA' | 'ES256'
  /** 1 at creation; one more at every transition. */
  readonly version: number
  /** The newest instant ever stored: a wall clock that steps back must not reopen a window. */
  readonly updatedAt: number
  readonly keys: readonly KeyRecord[]
}
