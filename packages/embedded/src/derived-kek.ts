import { hkdfSync } from 'node:crypto'
import { type KekSource, kekFromValue } from '@countersign/sealing'
import type { AuthModuleEvent } from './config.ts'

const info = 'countersign embedded key-encryption key v1'

/** HKDF-SHA-256 (RFC 5869): the secret that signs and the key that seals have nothing in common that could be told. */
export function derivedKek(secretKey: string, emit: (event: AuthModuleEvent) => void): KekSource {
  const bytes = Buffer.from(hkdfSync('sha256', secretKey, '', info, 32))
  return kekFromValue(bytes.toString('base64url'), {
    onEvent: ({ kekId }) => emit({ type: 'kek_derived', kekId }),
  })
}
