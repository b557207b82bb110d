import type { RevocationEntry } from './entry.ts'
import { SetDigest } from './internal/digest.ts'
import { writeEntry } from './internal/entry-line.ts'
import { sha256 } from './internal/sha-256.ts'
import { nextTurn } from './internal/turns.ts'

/** A set of entries as it is sent: one line each. Made once for a position, and served as long as that is the newest. */
export interface SnapshotBody {
  readonly bytes: Uint8Array
  readonly count: number
  /** 16 hexadecimal digits. */
  readonly digest: string
  /** Of `bytes`, base64url. */
  readonly sha256: string
}

/** Entries written between two turns of the event loop: some milliseconds. */
const entriesATurn = 8_192

/**
 * Writes a snapshot; a million entries take about a second, in turns of some milliseconds.
 *
 * @throws RevocationError `bad_entry`
 */
export async function writeSnapshotBody(entries: Iterable<RevocationEntry>): Promise<SnapshotBody> {
  const encoder = new TextEncoder()
  const digest = new SetDigest()
  const parts: Uint8Array[] = []
  let lines: string[] = []
  let count = 0
  let length = 0
  const flush = (): void => {
    if (lines.length === 0) return
    const part = encoder.encode(`${lines.join('\n')}\n`)
    for (let start = 0; start < part.length; ) {
      const end = part.indexOf(0x0a, start)
      digest.toggle(part, start, end)
      start = end + 1
    }
    parts.push(part)
    length += part.length
    lines = []
  }
  for (const entry of entries) {
    lines.push(writeEntry(entry))
    count += 1
    if (count % entriesATurn === 0) {
      flush()
      await nextTurn()
    }
  }
  flush()
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return { bytes, count, digest: digest.toString(), sha256: await sha256(bytes) }
}
