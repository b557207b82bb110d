import { z } from 'zod'
import { KeysError } from '../keys-error.ts'

const keySchema = z.object({
  data: z.object({
    type: z.string(),
    derived: z.boolean().optional(),
    exportable: z.boolean().optional(),
    allow_plaintext_backup: z.boolean().optional(),
    latest_version: z.int().positive(),
    min_available_version: z.int().nonnegative().optional(),
    min_decryption_version: z.int().nonnegative(),
    min_encryption_version: z.int().nonnegative(),
    keys: z.record(z.string().regex(/^[1-9]\d{0,8}$/), z.object({ public_key: z.string() })),
  }),
})
const kindSchema = z.object({
  data: z.object({ type: z.string(), derived: z.boolean().optional(), imported_key: z.boolean().optional() }),
})
const signatureSchema = z.object({ data: z.object({ signature: z.string().max(512) }) })

/** A transit key as Vault describes it. */
export interface TransitKey {
  readonly latest: number
  readonly minAvailable: number
  readonly minDecryption: number
  readonly minEncryption: number
  readonly exportable: boolean
  /** Version → the raw public key, 32 bytes, in base64url. Those below `minDecryption` are not shown. */
  readonly publicKeys: ReadonlyMap<number, string>
}

const keyBytes = 32
const signatureBytes = 64

/** @throws KeysError `transit_key_unfit`, `vault_answer_invalid` */
export function parseTransitKey(body: unknown, name: string): TransitKey {
  const described = kindSchema.safeParse(body)
  if (described.success) {
    const { type, derived, imported_key } = described.data.data
    if (type !== 'ed25519')
      throw new KeysError('transit_key_unfit', `the transit key ${name} is of type ${type.slice(0, 32)}`)
    // Somebody outside has known its private half, and could add a version whose private half they know.
    if (imported_key === true) throw new KeysError('transit_key_unfit', `the transit key ${name} was imported`)
    // Its versions are no keys, but what keys are derived from: there is nothing to publish.
    if (derived === true) throw new KeysError('transit_key_unfit', `the transit key ${name} is derived`)
  }
  const parsed = keySchema.safeParse(body)
  if (!parsed.success)
    throw new KeysError('vault_answer_invalid', `Vault's answer about the key ${name} has another form`)
  const { data } = parsed.data
  const publicKeys = new Map<number, string>()
  for (const [version, { public_key }] of Object.entries(data.keys)) {
    const bytes = Buffer.from(public_key, 'base64')
    if (bytes.length !== keyBytes || bytes.toString('base64') !== public_key) {
      throw new KeysError('vault_answer_invalid', `version ${version} of the key ${name} is not 32 bytes in base64`)
    }
    publicKeys.set(Number(version), bytes.toString('base64url'))
  }
  return {
    latest: data.latest_version,
    minAvailable: data.min_available_version ?? 0,
    minDecryption: data.min_decryption_version,
    minEncryption: data.min_encryption_version,
    exportable: data.exportable === true || data.allow_plaintext_backup === true,
    publicKeys,
  }
}

/**
 * `vault:vN:SIGNATURE`, in base64url (`jws`) or standard base64 (`asn1`, which for Ed25519 has no ASN.1 in it).
 *
 * @throws KeysError `vault_answer_invalid` unless it is of the version that was asked for and has 64 bytes
 */
export function parseTransitSignature(body: unknown, version: number, name: string): Uint8Array {
  const parsed = signatureSchema.safeParse(body)
  const [, signedBy, text = ''] =
    /^vault:v([1-9]\d{0,8}):([\w+/-]+={0,2})$/.exec(parsed.data?.data.signature ?? '') ?? []
  if (signedBy === undefined)
    throw new KeysError('vault_answer_invalid', `Vault's signature with ${name} has another form`)
  if (Number(signedBy) !== version) {
    throw new KeysError('vault_answer_invalid', `Vault signed with version ${signedBy} of ${name}, not with ${version}`)
  }
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length !== signatureBytes) {
    throw new KeysError('vault_answer_invalid', `Vault's signature with ${name} has ${bytes.length} bytes, not 64`)
  }
  return new Uint8Array(bytes)
}
