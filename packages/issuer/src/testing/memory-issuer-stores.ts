import type { IssuerStores } from '../ports.ts'
import { memoryClients, memoryUsers } from './memory-accounts.ts'
import { memoryAssertions } from './memory-assertions.ts'
import { memoryAcknowledgements, memoryRevocationLog, unrevoked } from './memory-revocations.ts'
import { memoryIssued, memorySessions } from './memory-sessions.ts'
import type { MemoryState } from './memory-state.ts'
import { memoryThrottle } from './memory-throttle.ts'

/**
 * Everything an issuer stores, in this process's memory: for tests, and lost with the process.
 * @param now Unix seconds, for the revocation log's readings
 */
export function memoryIssuerStores(now: () => number = () => Date.now() / 1000): IssuerStores {
  const state: MemoryState = {
    users: new Map(),
    clients: new Map(),
    sessions: new Map(),
    refresh: new Map(),
    issued: new Map(),
    throttle: new Map(),
    assertions: new Map(),
    globalGeneration: 0,
    log: { epoch: 1, seq: 0, entries: new Map(), events: [], watchers: new Set() },
  }
  return {
    users: memoryUsers(state),
    clients: memoryClients(state),
    sessions: memorySessions(state),
    issued: memoryIssued(state),
    throttle: memoryThrottle(state),
    assertions: memoryAssertions(state),
    revocations: memoryRevocationLog(state, now),
    acknowledgements: memoryAcknowledgements(),
    async unrevoked(wanted) {
      return unrevoked(state, wanted)
    },
    async globalGeneration() {
      return state.globalGeneration
    },
    async prune(before, limit) {
      return prune(state, before, limit)
    },
    async check() {},
  }
}

function prune(state: MemoryState, before: number, limit: number): number {
  let left = Math.max(0, limit)
  const remove = <K, V>(rows: Map<K, V>, over: (row: V, key: K) => boolean): void => {
    for (const [key, row] of rows) {
      if (left === 0) return
      if (!over(row, key)) continue
      rows.delete(key)
      left -= 1
    }
  }
  const sessionIsOver = (id: string): boolean => {
    const row = state.sessions.get(id)
    return row === undefined || Math.max(row.session.endedAt ?? row.session.expiresAt, row.issuedUntil) < before
  }
  remove(state.issued, (row) => row.issued.expiresAt < before)
  remove(state.refresh, (row) => row.expiresAt < before || sessionIsOver(row.sessionId))
  const held = new Set([...state.refresh.values()].map((row) => row.sessionId))
  remove(state.sessions, (_row, id) => sessionIsOver(id) && !held.has(id))
  remove(state.throttle, (row) => row.forgetAt < before)
  return Math.max(0, limit) - left
}
