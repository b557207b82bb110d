import type { RevocationEntry } from '../entry.ts'
import { RevocationError } from '../errors.ts'
import { readEntry } from './entry-line.ts'
import { EntrySet, type EntrySetOptions } from './entry-set.ts'
import { longestIdBytes } from './entry-store.ts'
import { nextTurn } from './turns.ts'

/** Entries read between two turns of the event loop: some milliseconds. */
const entriesATurn = 8_192

const tab = 0x09
const lineFeed = 0x0a
const letter = { j: 0x6a, s: 0x73, c: 0x63, u: 0x75 } as const

/**
 * Reads a snapshot's entries into a new set, in turns.
 *
 * @param each called with every entry, for comparisons; reading takes about twice as long with it
 * @throws RevocationError `bad_message`
 */
export async function loadEntries(
  bytes: Uint8Array,
  options: EntrySetOptions,
  each?: (entry: RevocationEntry) => void,
): Promise<EntrySet> {
  const set = new EntrySet(options)
  let read = 0
  for (let start = 0; start < bytes.length; ) {
    const end = bytes.indexOf(lineFeed, start)
    if (end < 0) throw badEntry('The last entry is cut off.')
    if (each !== undefined) each(readEntry(decode(bytes.subarray(start, end))))
    if (!addFast(set, bytes, start, end)) addSlowly(set, decode(bytes.subarray(start, end)))
    start = end + 1
    read += 1
    if (read % entriesATurn === 0) await nextTurn()
  }
  return set
}

/** Tokens, sessions, clients and subjects, without making an object or a string of them; false for the other types. */
function addFast(set: EntrySet, bytes: Uint8Array, start: number, end: number): boolean {
  const kind = bytes[start]
  const byId = kind === letter.j || kind === letter.s
  if (!byId && kind !== letter.c && kind !== letter.u) return false
  const idEnd = bytes.indexOf(tab, start + 2)
  const idBytes = idEnd - start - 2
  if (bytes[start + 1] !== tab || idBytes < 1 || idBytes > longestIdBytes || idEnd > end) {
    throw badEntry('An entry has another form.')
  }
  const minEnd = byId ? idEnd : bytes.indexOf(tab, idEnd + 1)
  if (minEnd < 0 || minEnd > end) throw badEntry('An entry has another form.')
  const min = byId ? 0 : readNumber(bytes, idEnd + 1, minEnd)
  const until = readNumber(bytes, minEnd + 1, end)
  if (!set.addLine(bytes, start, idEnd, end, min, until)) throw badEntry('Two entries are for one id.')
  return true
}

function addSlowly(set: EntrySet, line: string): void {
  const entry = readEntry(line)
  const known = entry.type === 'kid' ? set.keys.has(entry.id) : entry.type === 'global' && set.everybody !== undefined
  if (known) throw badEntry('Two entries are for one id.')
  set.add(entry)
}

/** A number below 2^32 in its one decimal spelling. */
function readNumber(bytes: Uint8Array, start: number, end: number): number {
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = (bytes[at] ?? 0) - 0x30
    if (digit < 0 || digit > 9 || (value === 0 && at > start)) throw badEntry('A number has another form.')
    value = value * 10 + digit
  }
  if (end === start || end - start > 10 || value > 0xffff_ffff) throw badEntry('A number has another form.')
  return value
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new RevocationError('bad_message', 'An entry is not UTF-8.', { cause })
  }
}

function badEntry(message: string): RevocationError {
  return new RevocationError('bad_message', message)
}
