import type { KeySource } from '@countersign/tokens'
import type { RevocationEvent } from './entry.ts'
import { RevocationError } from './errors.ts'
import { type FeedHead, longestHead, openHead } from './head.ts'
import { readEntry } from './internal/entry-line.ts'
import { sha256 } from './internal/sha-256.ts'

/** A message whose signature holds, for its body too. Whether it is new is the reader's to decide. */
export type FeedMessage =
  | { readonly kind: 'head'; readonly head: FeedHead }
  | {
      readonly kind: 'delta'
      readonly head: FeedHead
      readonly after: number
      readonly events: readonly RevocationEvent[]
    }
  | {
      readonly kind: 'snapshot'
      readonly head: FeedHead
      /** One line an entry; for {@link RevocationView.load}. */
      readonly entries: Uint8Array
    }

export interface ReadMessageOptions {
  /** Exactly as the issuer writes its own name. */
  readonly issuer: string
  /** The feed's own keys, never those of tokens. */
  readonly keys: KeySource
}

const lineFeed = 0x0a

/**
 * Reads a message of the feed: a head, a delta or a snapshot.
 *
 * @param message within a limit that the caller has held it to
 * @throws RevocationError `bad_message`, `bad_signature`, `wrong_issuer`; `feed_unreachable` without the feed's keys
 */
export async function readMessage(message: Uint8Array | string, options: ReadMessageOptions): Promise<FeedMessage> {
  const bytes = typeof message === 'string' ? new TextEncoder().encode(message) : message
  const found = bytes.subarray(0, longestHead + 1).indexOf(lineFeed)
  const end = found < 0 ? bytes.length : found
  if (end > longestHead) throw new RevocationError('bad_message', 'The message does not begin with a head.')
  const { head, content } = await openHead(decode(bytes.subarray(0, end)), options)
  const body = bytes.subarray(Math.min(end + 1, bytes.length))
  if (content.kind === 'head') {
    if (body.length > 0) throw new RevocationError('bad_message', 'The head vouches for no body, but there is one.')
    return { kind: 'head', head }
  }
  if ((await sha256(body)) !== content.sha256) {
    throw new RevocationError('bad_signature', 'The body is not the one that the head vouches for.')
  }
  if (content.kind === 'snapshot') return { kind: 'snapshot', head, entries: body }
  const { after } = content
  const events = readEvents(decode(body), after)
  if (after + events.length > head.position.seq) {
    throw new RevocationError('bad_message', 'The delta goes beyond its own head.')
  }
  return { kind: 'delta', head, after, events }
}

function readEvents(text: string, after: number): readonly RevocationEvent[] {
  if (text === '') return []
  if (!text.endsWith('\n')) throw new RevocationError('bad_message', 'The last event is cut off.')
  return text
    .slice(0, -1)
    .split('\n')
    .map((line, index): RevocationEvent => {
      const change = line.startsWith('+') ? 'add' : 'drop'
      const entry = readEntry(line.slice(1))
      if ((change === 'drop' && !line.startsWith('-')) || (change === 'drop' && entry.type === 'kid')) {
        throw new RevocationError('bad_message', 'An event has another form.')
      }
      return { seq: after + 1 + index, change, entry }
    })
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new RevocationError('bad_message', 'The message is not UTF-8.', { cause })
  }
}
