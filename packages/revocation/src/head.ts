import { isRejection, type KeySource } from '@countersign/tokens'
import { verifyJws } from '@countersign/tokens/jws'
import type { FeedPosition } from './entry.ts'
import { RevocationError } from './errors.ts'

/** The `typ` of everything that the feed's keys sign; a token never has it. */
export const feedType = 'rev-feed+jwt'

/** The media type of the feed's answers. */
export const feedMediaType = 'application/rev-feed'

/** What a head states: at `issuedAt`, the feed stood at this position, and this was in force. */
export interface FeedHead {
  readonly issuer: string
  readonly position: FeedPosition
  /** Entries in force. */
  readonly count: number
  /** Of the entries in force: 16 hexadecimal digits, see {@link RevocationView.digest}. */
  readonly digest: string
  /** Unix seconds, by the store's clock, of the last successful read. */
  readonly issuedAt: number
}

/** What a head vouches for besides itself. */
export type HeadContent =
  | { readonly kind: 'head' }
  | { readonly kind: 'delta'; readonly after: number; readonly sha256: string }
  | { readonly kind: 'snapshot'; readonly sha256: string }

/** Longest head, in characters. */
export const longestHead = 4_096

/** The claims of a head's JWT. */
export function headClaims(head: FeedHead, content: HeadContent): Record<string, unknown> {
  const { issuer, position, count, digest, issuedAt } = head
  return { iss: issuer, ...position, count, digest, issued_at: issuedAt, ...content }
}

/**
 * Verifies a head by the feed's own keys.
 *
 * @throws RevocationError `bad_signature` (also for another type or key), `wrong_issuer`, `bad_message`;
 * `feed_unreachable` when the feed's keys cannot be read
 */
export async function openHead(
  statement: string,
  { issuer, keys }: { readonly issuer: string; readonly keys: KeySource },
): Promise<{ readonly head: FeedHead; readonly content: HeadContent }> {
  const claims = await openStatement(statement, keys)
  if (claims.iss !== issuer) throw new RevocationError('wrong_issuer', "The head is of another issuer's feed.")
  const { epoch, seq, count, digest, issued_at } = claims
  if (!isWhole(epoch) || !isWhole(seq) || !isWhole(count)) throw badHead('epoch, seq or count')
  if (typeof digest !== 'string' || !/^[0-9a-f]{16}$/.test(digest)) throw badHead('digest')
  if (typeof issued_at !== 'number' || !(issued_at >= 0)) throw badHead('issued_at')
  return {
    head: { issuer, position: { epoch, seq }, count, digest, issuedAt: issued_at },
    content: readContent(claims),
  }
}

async function openStatement(statement: string, keys: KeySource): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await verifyJws(statement, { type: feedType, keys, maxLength: longestHead })).claims
  } catch (cause) {
    if (!isRejection(cause)) throw cause
    if (cause.code === 'keys_unavailable') {
      throw new RevocationError('feed_unreachable', "The feed's keys cannot be read.", { cause })
    }
    const code = cause.code === 'malformed' ? 'bad_message' : 'bad_signature'
    throw new RevocationError(code, `The head was not accepted: ${cause.message}`, { cause })
  }
}

function readContent({ kind, after, sha256 }: Readonly<Record<string, unknown>>): HeadContent {
  if (kind === 'head') return { kind }
  if (typeof sha256 !== 'string' || sha256.length !== 43) throw badHead('sha256')
  if (kind === 'snapshot') return { kind, sha256 }
  if (kind !== 'delta' || !isWhole(after)) throw badHead('kind or after')
  return { kind, after, sha256 }
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function badHead(what: string): RevocationError {
  return new RevocationError('bad_message', `The head's ${what} has another form.`)
}
