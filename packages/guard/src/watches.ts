import type { Clock, Principal } from '@countersign/tokens'
import type { PrincipalEnd } from './guard.ts'

/**
 * Timers run on a clock that stands still while a machine sleeps and does not follow a corrected wall clock,
 * so the end is looked up again at least this often.
 */
const longestTurnMs = 30_000

interface Watch {
  readonly principal: Principal
  readonly onEnd: (end: PrincipalEnd) => void
  cancelTimer: () => void
}

export interface Watches {
  add(principal: Principal, onEnd: (end: PrincipalEnd) => void): () => void
  /** Looks at every watched principal again. */
  checkAll(): void
  clear(): void
}

/** Principals that somebody wants to be told the end of. `endOf` says whether one has ended, and why. */
export function createWatches(clock: Clock, endOf: (principal: Principal) => PrincipalEnd | undefined): Watches {
  const watches = new Set<Watch>()

  const remove = (watch: Watch): void => {
    watches.delete(watch)
    watch.cancelTimer()
  }
  const check = (watch: Watch): void => {
    if (!watches.has(watch)) return
    watch.cancelTimer()
    const end = endOf(watch.principal)
    if (end !== undefined) {
      remove(watch)
      watch.onEnd(end)
      return
    }
    const leftMs = Math.ceil((watch.principal.expiresAt - clock.now()) * 1000)
    watch.cancelTimer = clock.after(Math.max(1, Math.min(leftMs, longestTurnMs)), () => check(watch))
  }

  return {
    add(principal, onEnd) {
      const watch: Watch = { principal, onEnd, cancelTimer: () => {} }
      // Registered first and checked after: what is revoked in between is seen by one of the two.
      watches.add(watch)
      queueMicrotask(() => check(watch))
      return () => remove(watch)
    },
    checkAll() {
      const faults: unknown[] = []
      for (const watch of [...watches]) {
        try {
          check(watch)
        } catch (fault) {
          // One faulty callback must not keep the other principals' connections open.
          faults.push(fault)
        }
      }
      if (faults.length > 0) throw faults.length === 1 ? faults[0] : new AggregateError(faults, 'Watchers failed.')
    },
    clear() {
      for (const watch of [...watches]) remove(watch)
    },
  }
}
