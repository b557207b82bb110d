import type { FeedPosition } from './entry.ts'
import { writePosition } from './position-text.ts'

/**
 * A head or a delta as an event of `GET /revocations/stream`: its `id` is what the reader holds afterwards, and one
 * `data` line stands for each line of the message.
 *
 * @param message of signHead or signDelta
 * @param holds the head's position, or that of the delta's last event where it ends before
 */
export function writeServerSent(message: string, holds: FeedPosition): string {
  return `id:${writePosition(holds)}\ndata:${message.replaceAll('\n', '\ndata:')}\n\n`
}
