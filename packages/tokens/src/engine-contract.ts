/** One public key, ready to check signatures. */
export interface SignatureKey {
  /** Resolves to the verdict; copies what it needs of both arguments before it first waits. */
  verify(data: Uint8Array, signature: Uint8Array): Promise<boolean>
  /** Present where the runtime can do it without waiting. */
  verifySync?(data: Uint8Array, signature: Uint8Array): boolean
}

/** A secret for HMAC with SHA-256 (RFC 2104). */
export interface HmacKey extends SignatureKey {
  sign(data: Uint8Array): Promise<Uint8Array>
  signSync?(data: Uint8Array): Uint8Array
}

/**
 * Checks Ed25519 signatures (RFC 8032). Keys and signatures come checked: prime order, canonical encodings, S below the
 * group order, so that every engine gives the same verdict.
 */
export interface Ed25519Engine {
  readonly name: string
  /** @param publicKey the 32 bytes of the JWK's `x` */
  importKey(publicKey: Uint8Array): SignatureKey
}

/** What the token core asks of its runtime; one module for Node, one on WebCrypto for everything else. */
export interface Engine {
  readonly ed25519: Ed25519Engine
  /** Any other algorithm; `jwk` was checked by `importPublicJwk`. */
  importKey(jwk: object, algorithm: string): SignatureKey
  /** Canonical base64url (RFC 7515 section 2: no padding, no spare bits) of valid UTF-8 as text, else `undefined`. */
  decodeText(segment: string): string | undefined
  /** Begins with the bytes of the text decoded last; absent where those are nowhere to be seen. */
  readonly decoded?: Uint8Array
  /** Canonical base64url as bytes that stay valid until the next call only, else `undefined`. */
  decodeBytes(segment: string): Uint8Array | undefined
  /** The first `length` characters, all ASCII, as bytes that stay valid until the next call only. */
  ascii(text: string, length: number): Uint8Array
  /** The same ASCII text, out of any longer one that it is a part of: through that, comparing reaches further. */
  ownText(text: string): string
  encodeText(text: string): string
  encodeBytes(bytes: Uint8Array): string
  hmacKey(secret: Uint8Array): HmacKey
}

/** Signature algorithms as WebCrypto and Node name their parts. */
export interface AlgorithmParts {
  readonly hash: 'SHA-256' | 'SHA-384' | 'SHA-512'
  readonly kind: 'ECDSA' | 'RSASSA-PKCS1-v1_5' | 'RSA-PSS'
  readonly curve?: 'P-256' | 'P-384' | 'P-521'
}

export function algorithmParts(algorithm: string): AlgorithmParts {
  const bits = algorithm.slice(2)
  const hash = bits === '256' ? 'SHA-256' : bits === '384' ? 'SHA-384' : 'SHA-512'
  if (algorithm.startsWith('ES')) {
    return { kind: 'ECDSA', hash, curve: bits === '256' ? 'P-256' : bits === '384' ? 'P-384' : 'P-521' }
  }
  return { kind: algorithm.startsWith('PS') ? 'RSA-PSS' : 'RSASSA-PKCS1-v1_5', hash }
}
