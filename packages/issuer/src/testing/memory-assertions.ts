import type { AssertionStore } from '../ports.ts'
import { type MemoryState, refuseText } from './memory-state.ts'

export function memoryAssertions(state: MemoryState): AssertionStore {
  return {
    async use(id, until) {
      refuseText(id)
      if (state.assertions.has(id)) return false
      state.assertions.set(id, until)
      return true
    },
    async forget(now, limit) {
      let left = Math.max(0, limit)
      for (const [id, until] of state.assertions) {
        if (left === 0) break
        if (until > now) continue
        state.assertions.delete(id)
        left -= 1
      }
      return Math.max(0, limit) - left
    },
  }
}
