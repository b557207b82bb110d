import { z } from 'zod'
import type { KeyRingDocument } from './document.ts'
import { KeysError } from './keys-error.ts'

const instant = z.number().nonnegative()

const keySchema = z.strictObject({
  kid: z.string().min(1).max(128),
  state: z.enum(['pending', 'published', 'active', 'retiring', 'retired', 'revoked']),
  publicJwk: z.strictObject({
    kty: z.enum(['OKP', 'EC']),
    alg: z.enum(['EdDSA', 'Ed25519', 'ES256']),
    kid: z.string().min(1).max(128),
    use: z.literal('sig').optional(),
    crv: z.string().max(16),
    x: z.string().max(128),
    y: z.string().max(128).optional(),
  }),
  sealedPrivateKey: z.string().max(8192).optional(),
  heldIn: z.strictObject({ backend: z.string().min(1).max(256), reference: z.string().min(1).max(256) }).optional(),
  createdAt: instant,
  publishedAt: instant.optional(),
  activatedAt: instant.optional(),
  longestLifeSeconds: z.number().positive().optional(),
  retiringAt: instant.optional(),
  retiredAt: instant.optional(),
  revokedAt: instant.optional(),
  revokedReason: z.string().max(1024).optional(),
})

const documentSchema = z.strictObject({
  format: z.literal(1),
  name: z.string().min(1).max(128),
  purpose: z.enum(['token', 'feed']),
  issuer: z.string().min(1).max(2048),
  algorithm: z.enum(['EdDSA', 'ES256']),
  version: z.int().positive(),
  updatedAt: instant,
  keys: z.array(keySchema).max(4096),
})

/**
 * Checks the form of what a store has read. Whether the keys are authentic, the ring checks itself.
 *
 * @throws KeysError `ring_invalid`; the message says where, never what was found
 */
export function parseKeyRingDocument(value: unknown): KeyRingDocument {
  const parsed = documentSchema.safeParse(value)
  if (!parsed.success) {
    throw new KeysError('ring_invalid', `not a key ring: ${z.prettifyError(parsed.error)}`)
  }
  // zod's optional members admit an explicit `undefined`, which cannot come out of JSON.
  return parsed.data as KeyRingDocument
}
