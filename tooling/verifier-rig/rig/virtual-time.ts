import type { Clock } from '@countersign/tokens'

/** Time that stands still until told otherwise. */
export interface VirtualTime {
  readonly clock: Clock
  /**
   * Lets time pass at once and calls every timer that has fallen due, once, in order. What they start is given some turns
   * of the event loop.
   */
  pass(seconds: number): Promise<void>
}

interface Timer {
  readonly atMs: number
  readonly call: () => void
}

/**
 * Replaces `Date`, `performance.now`, `setTimeout` and `setInterval` of this process, for libraries that take no clock:
 * their caches then live by virtual time. Node's own sockets keep to the real one.
 */
export function installVirtualTime(startSeconds: number): VirtualTime {
  const RealDate = Date
  let wallMs = startSeconds * 1000
  let sinceMs = 1000
  let timers = new Set<Timer>()

  function add(delayMs: number, call: () => void): Timer {
    const timer = { atMs: sinceMs + Math.max(1, delayMs), call }
    timers.add(timer)
    return timer
  }

  class VirtualDate extends RealDate {
    constructor(...args: readonly unknown[]) {
      if (args.length === 0) super(wallMs)
      else super(...(args as [number]))
    }
    static override now(): number {
      return wallMs
    }
  }
  globalThis.Date = VirtualDate as DateConstructor
  performance.now = () => sinceMs

  /** What Node returns from `setTimeout`, as far as libraries use it. */
  class Handle {
    timer: Timer
    readonly again: () => Timer
    constructor(again: () => Timer) {
      this.again = again
      this.timer = again()
    }
    ref(): this {
      return this
    }
    unref(): this {
      return this
    }
    hasRef(): boolean {
      return false
    }
    refresh(): this {
      timers.delete(this.timer)
      this.timer = this.again()
      return this
    }
    close(): this {
      timers.delete(this.timer)
      return this
    }
    [Symbol.dispose](): void {
      timers.delete(this.timer)
    }
  }
  const later = (call: (...args: unknown[]) => void, delayMs = 1, ...args: unknown[]): Handle =>
    new Handle(() => add(delayMs, () => call(...args)))
  const repeatedly = (call: (...args: unknown[]) => void, delayMs = 1, ...args: unknown[]): Handle => {
    const handle: Handle = later(() => {
      handle.refresh()
      call(...args)
    }, delayMs)
    return handle
  }
  const stop = (handle: unknown): void => {
    if (handle instanceof Handle) handle.close()
  }
  Object.assign(globalThis, { setTimeout: later, setInterval: repeatedly, clearTimeout: stop, clearInterval: stop })

  return {
    clock: {
      now: () => wallMs / 1000,
      monotonicMs: () => sinceMs,
      after(delayMs, call) {
        const timer = add(delayMs, call)
        return () => void timers.delete(timer)
      },
    },
    async pass(seconds) {
      sinceMs += seconds * 1000
      wallMs += seconds * 1000
      const due = [...timers].filter(({ atMs }) => atMs <= sinceMs).sort((one, other) => one.atMs - other.atMs)
      timers = new Set([...timers].filter((timer) => !due.includes(timer)))
      for (const { call } of due) call()
      for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    },
  }
}
