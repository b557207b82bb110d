/** A key-encryption key: 256 bits and the id that sealed blobs name it by. */
export interface KeyEncryptionKey {
  /** First 16 base64url characters of SHA-256 over a fixed label and the key: safe to show. */
  readonly id: string
  /** 32 bytes. */
  readonly secret: Uint8Array
}

/** Where key-encryption keys come from. Seals with `current`, opens with whatever `find` still holds. */
export interface KekSource {
  current(): Promise<KeyEncryptionKey>
  find(id: string): Promise<KeyEncryptionKey | undefined>
}
