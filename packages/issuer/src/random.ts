import { hash, randomFillSync } from 'node:crypto'

// One call into OpenSSL for many ids: it costs as much for 4 KiB as for 16 bytes.
const pool: Buffer = Buffer.allocUnsafeSlow(4096)
let taken = pool.length

/** `bytes` fresh random bytes, base64url. Each byte of the pool is handed out once and cleared. */
export function randomText(bytes: number): string {
  if (taken + bytes > pool.length) {
    randomFillSync(pool)
    taken = 0
  }
  const text = pool.toString('base64url', taken, taken + bytes)
  pool.fill(0, taken, taken + bytes)
  taken += bytes
  return text
}

/** 128 random bits: `jti`, `sid` and record ids. */
export function newId(): string {
  return randomText(16)
}

export const refreshTokenPrefix = 'cs_refresh_'
export const clientSecretPrefix = 'cs_secret_'

/** 256 random bits; the prefix lets secret scanners recognise it. */
export function newRefreshToken(): string {
  return refreshTokenPrefix + randomText(32)
}

/** 256 random bits; the prefix lets secret scanners recognise it. */
export function newClientSecret(): string {
  return clientSecretPrefix + randomText(32)
}

/** SHA-256, base64url: how secrets with 256 random bits are stored. */
export function sha256(text: string): string {
  return hash('sha256', text, 'base64url')
}
