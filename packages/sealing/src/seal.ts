import { CompactEncrypt, compactDecrypt } from 'jose'
import { z } from 'zod'
import type { KekSource, KeyEncryptionKey } from './kek.ts'
import { SealingError } from './sealing-error.ts'

/** What may be sealed at once: keys, tokens and passwords, not documents. */
export const maxPlaintextBytes = 65_536
/** Room for the plaintext in base64url, the header with its context, and the other three segments. */
const maxSealedCharacters = 128 * 1024

const keyWrap = 'A256KW'
const cipher = 'A256GCM'

const contextSchema = z
  .record(z.string().regex(/^[a-z][\w-]{0,63}$/i), z.string().max(1024))
  .refine((context) => Object.keys(context).length <= 16)

/**
 * The whole protected header. Strict: a member beside these (`zip`, `p2c`, `crit`, `epk`, …) is refused, so nothing can
 * ask for decompression, key derivation or another way to the key.
 */
const headerSchema = z.strictObject({
  alg: z.literal(keyWrap),
  enc: z.literal(cipher),
  kid: z.string().min(1).max(128),
  cty: z.string().min(1).max(128),
  ctx: contextSchema,
  /** The key-encryption key, wrapped by the service that it came from; printable, as such services write it. */
  wrk: z
    .string()
    .regex(/^[!-~]{1,1024}$/)
    .optional(),
})

export interface SealOptions {
  readonly kek: KekSource
  /** What the plaintext is, such as `jwk+json`: the `cty` header. */
  readonly contentType: string
  /**
   * What the secret belongs to (a name, an owner, a purpose): authenticated, not secret. Opening demands exactly the
   * same members, so a sealed value moved to another place does not open there. At most 16, of 1,024 characters each.
   */
  readonly context: Readonly<Record<string, string>>
}

/**
 * Seals a secret as a compact JWE (RFC 7516) with A256KW and A256GCM: a fresh key and nonce each time, wrapped by the
 * current key-encryption key, whose id is the header's `kid`.
 *
 * @throws SealingError `plaintext_too_large`, `context_invalid`, and what the key-encryption key's source throws
 */
export async function seal(plaintext: Uint8Array, { kek, contentType, context }: SealOptions): Promise<string> {
  if (plaintext.length > maxPlaintextBytes) {
    throw new SealingError('plaintext_too_large', `${plaintext.length} bytes are more than ${maxPlaintextBytes}`)
  }
  return await sealUnder(await kek.current(), plaintext, contentType, context)
}

async function sealUnder(
  { id, secret, wrapped }: KeyEncryptionKey,
  plaintext: Uint8Array,
  contentType: string,
  context: SealOptions['context'],
): Promise<string> {
  const wrk = wrapped === undefined ? {} : { wrk: wrapped }
  const header = headerSchema.safeParse({ alg: keyWrap, enc: cipher, kid: id, cty: contentType, ctx: context, ...wrk })
  if (!header.success) {
    throw new SealingError(
      'context_invalid',
      `not a content type and context to seal with: ${z.prettifyError(header.error)}`,
    )
  }
  return await new CompactEncrypt(plaintext).setProtectedHeader(header.data).encrypt(secret)
}

/** Five segments of canonical length in the base64url alphabet; A256KW wraps to 40 bytes, the IV has 12, the tag 16. */
const compactForm = /^([\w-]{2,8192})\.[\w-]{54}\.[\w-]{16}\.[\w-]*\.[\w-]{22}$/

function readHeader(sealed: string): z.infer<typeof headerSchema> {
  const segment = sealed.length <= maxSealedCharacters ? compactForm.exec(sealed)?.[1] : undefined
  if (segment === undefined) throw new SealingError('sealed_malformed', 'not a compact JWE of ours')
  let header: unknown
  try {
    header = JSON.parse(Buffer.from(segment, 'base64url').toString('utf8'))
  } catch (error) {
    throw new SealingError('sealed_malformed', 'the JWE header is not JSON', { cause: error })
  }
  const parsed = headerSchema.safeParse(header)
  if (!parsed.success) {
    throw new SealingError('sealed_malformed', `not a JWE header of ours: ${z.prettifyError(parsed.error)}`)
  }
  return parsed.data
}

function sameContext(one: Readonly<Record<string, string>>, other: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(one)
  return (
    names.length === Object.keys(other).length &&
    names.every((name) => Object.hasOwn(other, name) && one[name] === other[name])
  )
}

/** The id of the key-encryption key that a value was sealed with. Not authenticated: for choosing what to seal anew. */
export function sealedWith(sealed: string): string {
  return readHeader(sealed).kid
}

/**
 * Opens what {@link seal} made, for exactly this content type and context.
 *
 * @throws SealingError `sealed_malformed`, `kek_unknown`, `sealed_not_authentic`; `sealed_elsewhere` when it is
 * authentic but was sealed for another context
 */
export async function open(sealed: string, { kek, contentType, context }: SealOptions): Promise<Uint8Array> {
  const { kid, wrk } = readHeader(sealed)
  const key = await (wrk === undefined ? kek.find(kid) : kek.find(kid, wrk))
  if (key === undefined) throw new SealingError('kek_unknown', `no key-encryption key has the id ${kid}`)
  let opened: Awaited<ReturnType<typeof compactDecrypt>>
  try {
    opened = await compactDecrypt(sealed, key.secret, {
      keyManagementAlgorithms: [keyWrap],
      contentEncryptionAlgorithms: [cipher],
    })
  } catch (error) {
    throw new SealingError('sealed_not_authentic', 'the sealed value was altered', { cause: error })
  }
  // The header is authentic only now, so only now does what it says count.
  const header = headerSchema.parse(opened.protectedHeader)
  if (header.cty !== contentType || !sameContext(header.ctx, context)) {
    opened.plaintext.fill(0)
    throw new SealingError('sealed_elsewhere', 'the sealed value belongs to another place')
  }
  return opened.plaintext
}

/**
 * Opens what {@link seal} made and seals it anew under the current key-encryption key; what is under it already stays as
 * it is. Doing so to every sealed value of a store, in any order and as often as one likes, is a rotation of the key.
 *
 * @throws SealingError as {@link open} and {@link seal}
 */
export async function reseal(sealed: string, options: SealOptions): Promise<string> {
  const { kek, contentType, context } = options
  const current = await kek.current()
  const plaintext = await open(sealed, options)
  try {
    if (sealedWith(sealed) === current.id) return sealed
    return await sealUnder(current, plaintext, contentType, context)
  } finally {
    plaintext.fill(0)
  }
}
