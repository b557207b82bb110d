import type { Clock } from '@countersign/tokens'
import type { VaultEvent } from './vault-events.ts'

/** Stops asking a Vault that does not answer, and finds out within a second or two when it does again. */
export interface Breaker {
  readonly isOpen: boolean
  /** An answer came that shows Vault at work. */
  succeeded(): void
  /** No answer, or one that says that Vault is not at work. */
  failed(reason: string): void
  /** Resolves when it is closed, or after `ms`. @returns whether it is closed */
  closed(ms: number): Promise<boolean>
  stop(): void
}

/** So many failures in a row open it. */
const mostFailures = 3
const probeEveryMs = 1000

export interface BreakerOptions {
  readonly clock: Clock
  /** Whether Vault is at work; never rejects, and settles within a second. */
  readonly probe: () => Promise<boolean>
  readonly emit: (event: VaultEvent) => void
}

export function createBreaker({ clock, probe, emit }: BreakerOptions): Breaker {
  let failures = 0
  let openedMs: number | undefined
  let cancelProbe = (): void => {}
  const waiting = new Set<() => void>()

  function close(): void {
    failures = 0
    if (openedMs === undefined) return
    const afterSeconds = (clock.monotonicMs() - openedMs) / 1000
    openedMs = undefined
    cancelProbe()
    emit({ type: 'vault.recovered', afterSeconds })
    for (const wake of [...waiting]) wake()
  }

  function armProbe(inMs: number): void {
    cancelProbe = clock.after(inMs, () => {
      const beganMs = clock.monotonicMs()
      void probe().then((isUp) => {
        if (openedMs === undefined) return
        if (isUp) close()
        else armProbe(Math.max(0, probeEveryMs - (clock.monotonicMs() - beganMs)))
      })
    })
  }

  return {
    get isOpen() {
      return openedMs !== undefined
    },
    succeeded: close,
    failed(reason) {
      failures += 1
      if (openedMs !== undefined || failures < mostFailures) return
      openedMs = clock.monotonicMs()
      emit({ type: 'vault.unavailable', reason })
      armProbe(probeEveryMs)
    },
    async closed(ms) {
      if (openedMs === undefined) return true
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          cancel()
          waiting.delete(wake)
          resolve()
        }
        const cancel = clock.after(ms, wake)
        waiting.add(wake)
      })
      return openedMs === undefined
    },
    stop() {
      cancelProbe()
      openedMs = undefined
      for (const wake of [...waiting]) wake()
    },
  }
}
