import type { TokenSigner } from '@countersign/tokens'
import { signJws } from '@countersign/tokens/jws'
import type { RevocationEvent } from './entry.ts'
import { RevocationError } from './errors.ts'
import { type FeedHead, feedType, headClaims } from './head.ts'
import { writeEntry } from './internal/entry-line.ts'
import { sha256 } from './internal/sha-256.ts'
import type { SnapshotBody } from './snapshot-body.ts'

/**
 * A message of the feed is a head, alone or with what it vouches for: the head's JWT on the first line, and from the
 * second on the events or entries, whose SHA-256 is in the head. The digest of the set authenticates nothing: it is made
 * to be cheap, and a cache in the middle could find another set with the same one.
 */

/** Signs that nothing changed: a message without a body. */
export function signHead(head: FeedHead, signer: TokenSigner): Promise<string> {
  return signJws(feedType, headClaims(head, { kind: 'head' }), signer)
}

/**
 * Signs the events after a seq. They may end before the head's own position, when there are too many for one message:
 * the reader asks again.
 *
 * @param after the seq that the first event follows
 * @param events in order, without gaps; may be empty
 * @throws RevocationError `bad_entry` for a gap, a dropped kid, or an entry that cannot be written
 */
export async function signDelta(
  head: FeedHead,
  after: number,
  events: readonly RevocationEvent[],
  signer: TokenSigner,
): Promise<string> {
  let text = ''
  for (const [index, { seq, change, entry }] of events.entries()) {
    if (seq !== after + 1 + index || seq > head.position.seq) {
      throw new RevocationError('bad_entry', 'The events of a delta must follow one another up to its head.')
    }
    if (change === 'drop' && entry.type === 'kid') {
      throw new RevocationError('bad_entry', 'The revocation of a key is never dropped.')
    }
    text += `${change === 'add' ? '+' : '-'}${writeEntry(entry)}\n`
  }
  const hash = await sha256(new TextEncoder().encode(text))
  return `${await signJws(feedType, headClaims(head, { kind: 'delta', after, sha256: hash }), signer)}\n${text}`
}

/**
 * Signs a snapshot. It may be kept and served as long as it is the newest, or a little longer: how fresh the feed is,
 * readers learn from the heads that they read after it.
 *
 * @param head its `count` and `digest` come from the body
 */
export async function signSnapshot(
  head: Omit<FeedHead, 'count' | 'digest'>,
  body: SnapshotBody,
  signer: TokenSigner,
): Promise<Uint8Array> {
  const { count, digest, bytes } = body
  const claims = headClaims({ ...head, count, digest }, { kind: 'snapshot', sha256: body.sha256 })
  const first = new TextEncoder().encode(`${await signJws(feedType, claims, signer)}\n`)
  const message = new Uint8Array(first.length + bytes.length)
  message.set(first)
  message.set(bytes, first.length)
  return message
}
