import { longestId } from './entry-line.ts'

/** The kinds that there may be millions of, by the letter of their lines; keys are few and the global entry is one. */
export type Kind = 'j' | 's' | 'c' | 'u'

/** No such entry. */
export const absent = -1

/** Entries by kind and id: `min` is the lowest generation that is still good (0 for what is revoked by id). */
export interface EntryStore {
  readonly size: number
  /** Estimated for a Map, exact for a table. */
  readonly bytes: number
  /** The entry's `min`, or {@link absent}. */
  minOf(kind: Kind, id: string): number
  /** The entry's `until`, or {@link absent}. */
  untilOf(kind: Kind, id: string): number
  put(kind: Kind, id: string, min: number, until: number): void
  /**
   * The same with the beginning of the entry's line: kind, tab, id in UTF-8.
   * @returns false if there was such an entry, which stays as it was
   */
  putLine(line: Uint8Array, start: number, end: number, min: number, until: number): boolean
  delete(kind: Kind, id: string): boolean
}

/** Longest id in UTF-8. */
export const longestIdBytes: number = longestId * 3
