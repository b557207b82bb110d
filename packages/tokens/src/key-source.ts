/** Signature algorithms (RFC 7518, RFC 8037, RFC 9864). `EdDSA` and `Ed25519` both mean Ed25519 here: the curve is pinned. */
export type Algorithm =
  | 'EdDSA'
  | 'Ed25519'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'

/** The public members of a key (RFC 7517), nothing else. `alg` is always there: one key, one algorithm. */
export interface PublicJwk {
  readonly kty: 'OKP' | 'EC' | 'RSA'
  readonly alg: Algorithm
  readonly kid: string
  readonly use?: 'sig'
  readonly crv?: string
  readonly x?: string
  readonly y?: string
  readonly n?: string
  readonly e?: string
}

/** Where a verifier's keys come from. A key is trusted as long as `get` returns the very same object. */
export interface KeySource {
  /** The key held in memory now; never fetches. */
  get(kid: string): PublicJwk | undefined
  /** False while there is no key set in memory that may be used; absent where there always is one. */
  readonly ready?: boolean
  /**
   * Called when `get` has no such key: may fetch, within the source's limits.
   * @returns the key, or `undefined` if the issuer has none by that id
   * @throws TokenRejected `keys_unavailable` when no key set could ever be read
   */
  load(kid: string): Promise<PublicJwk | undefined>
  /** The ids of the keys held in memory now, for reports; absent where the source cannot say. */
  kids?(): readonly string[]
}

/** A private key's one ability. What `keys` and foreign signers (an HSM, Vault) implement. */
export interface TokenSigner {
  readonly kid: string
  /** Goes into the header. */
  readonly algorithm: 'EdDSA' | 'Ed25519' | 'ES256'
  /** The raw JWS signature: 64 bytes for Ed25519 and ES256 (RFC 7518 section 3.4, RFC 8037 section 3.1). */
  sign(data: Uint8Array): Promise<Uint8Array>
  /** Present when the key is in memory and the runtime can sign synchronously; used first. */
  signSync?(data: Uint8Array): Uint8Array
}
