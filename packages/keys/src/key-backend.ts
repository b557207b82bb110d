import type { PublicJwk } from '@countersign/tokens'

/** A key that stays where it was made, as the ring uses it. */
export interface BackendKey {
  /** The public half, as the backend tells it; the ring compares it with what it has published. */
  readonly publicKey: Pick<PublicJwk, 'kty' | 'crv' | 'x' | 'y'>
  /** The raw JWS signature, 64 bytes. The ring verifies it before it lets it out. */
  sign(data: Uint8Array): Promise<Uint8Array>
}

/**
 * Where private keys are made, sign, and never leave: Vault transit, an HSM, a cloud's key service. The ring's document
 * names each of its keys by the backend's `id` and a reference; the states, the waits and the publication stay the ring's.
 */
export interface KeyBackend {
  /** Stored beside each key; a key with another id is not this backend's. Not secret, 256 characters at most. */
  readonly id: string
  /**
   * Makes a key that is none of `known`, unless an earlier call that was cut off has made one.
   *
   * @returns its reference: not secret, 256 characters at most
   */
  mint(algorithm: 'EdDSA' | 'ES256', known: readonly string[]): Promise<string>
  /** @throws KeysError `key_not_ours` when there is no such key, or it may sign no more */
  open(reference: string): Promise<BackendKey>
  /** The keys that the ring still uses: every older one may be closed, and destroyed later. May be repeated. */
  retain(inUse: readonly string[]): Promise<void>
}
