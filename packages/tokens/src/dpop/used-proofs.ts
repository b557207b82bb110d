import { type Clock, systemClock } from '../clock.ts'
import { TokensError } from '../tokens-error.ts'

/** Where the proofs that were used are kept, for all instances that answer to one URL. */
export interface UsedProofs {
  /**
   * Notes a proof, and says whether it was there before: one step, also between instances. It is called last, for proofs
   * that are otherwise good.
   *
   * @param id 43 characters: a hash of the key and the proof's `jti`
   * @param until Unix seconds; after it the proof is too old anyway and its id may be forgotten
   * @throws whatever, when it cannot be known: the proof is not accepted then
   */
  seen(id: string, until: number): Promise<boolean>
}

export interface MemoryUsedProofsOptions {
  /** Most proofs kept, 100 to 10,000,000; one takes some 150 bytes. @default 100_000 */
  readonly maxEntries?: number
  readonly clock?: Clock
}

/**
 * {@link UsedProofs} of one process. What it has forgotten, because it ended or to make room, counts as used: a clock
 * that is set back and a flood make it refuse, never accept twice. It knows nothing of what came before its process.
 *
 * @throws TokensError `bad_option`
 */
export function memoryUsedProofs(options: MemoryUsedProofsOptions = {}): UsedProofs {
  const { maxEntries = 100_000, clock = systemClock } = options
  if (!Number.isInteger(maxEntries) || maxEntries < 100 || maxEntries > 10_000_000) {
    throw new TokensError('bad_option', 'memoryUsedProofs: "maxEntries" is not a whole number from 100 to 10,000,000.')
  }
  const idsByEnd = new Map<number, Set<string>>()
  let entries = 0
  let forgottenUntil = Number.NEGATIVE_INFINITY

  function forget(end: number, ids: ReadonlySet<string>): void {
    idsByEnd.delete(end)
    entries -= ids.size
    forgottenUntil = Math.max(forgottenUntil, end)
  }

  function makeRoom(): void {
    const now = clock.now()
    for (const [end, ids] of idsByEnd) if (end < now) forget(end, ids)
    while (entries >= maxEntries) {
      const first = Math.min(...idsByEnd.keys())
      forget(first, idsByEnd.get(first) ?? new Set())
    }
  }

  return {
    seen: async (id, until) => {
      makeRoom()
      const end = Math.floor(until)
      if (!(end > forgottenUntil)) return true
      const ids = idsByEnd.get(end) ?? new Set()
      if (ids.has(id)) return true
      idsByEnd.set(end, ids.add(id))
      entries++
      return false
    },
  }
}
