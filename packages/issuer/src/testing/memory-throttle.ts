import type { ThrottleStore } from '../ports.ts'
import { type MemoryState, refuseText } from './memory-state.ts'

export function memoryThrottle(state: MemoryState): ThrottleStore {
  return {
    async read(keys) {
      const found = new Map()
      for (const key of keys) {
        const row = state.throttle.get(key)
        if (row === undefined) continue
        const { failures, windowStartedAt, blockedUntil } = row
        found.set(key, { failures, windowStartedAt, blockedUntil })
      }
      return found
    },
    async fail(keys, { allowed, windowSeconds, baseSeconds, maxSeconds }, now) {
      refuseText(keys)
      for (const key of new Set(keys)) {
        const row = state.throttle.get(key)
        const before = row !== undefined && now < row.forgetAt ? row : undefined
        const failures = (before?.failures ?? 0) + 1
        const windowStartedAt = before?.windowStartedAt ?? now
        const over = failures - allowed
        if (over <= 0) {
          state.throttle.set(key, {
            failures,
            windowStartedAt,
            blockedUntil: 0,
            forgetAt: windowStartedAt + windowSeconds,
          })
        } else {
          const blockedUntil = now + Math.min(maxSeconds, baseSeconds * 2 ** (over - 1))
          state.throttle.set(key, { failures, windowStartedAt, blockedUntil, forgetAt: blockedUntil + maxSeconds })
        }
      }
    },
    async clear(key) {
      state.throttle.delete(key)
    },
  }
}
