import type { IssuedRecord, IssuedStore, SessionStore } from '../ports.ts'
import { compareText, copy, endSession, generationsHold, type MemoryState, refuseText } from './memory-state.ts'

/** Also keeps the session for as long as the token lives. */
function storeIssued(state: MemoryState, issued: IssuedRecord): void {
  state.issued.set(issued.jti, { issued: copy(issued), revokedAt: null })
  const row = state.sessions.get(issued.sessionId)
  if (row === undefined) return
  state.sessions.set(issued.sessionId, { ...row, issuedUntil: Math.max(row.issuedUntil, issued.expiresAt) })
}

export function memorySessions(state: MemoryState): SessionStore {
  return {
    async open({ session, refresh, issued }) {
      refuseText([session, refresh, issued])
      if (!generationsHold(state, session)) return false
      const taken =
        state.sessions.has(session.id) ||
        state.issued.has(issued.jti) ||
        (refresh !== null && state.refresh.has(refresh.hash))
      if (taken) throw new Error('The session, the refresh token or the access token is stored already.')
      state.sessions.set(session.id, { session: copy(session), issuedUntil: 0 })
      if (refresh !== null) state.refresh.set(refresh.hash, copy(refresh))
      storeIssued(state, issued)
      return true
    },
    async byId(id) {
      return structuredClone(state.sessions.get(id)?.session)
    },
    async byRefresh(hash) {
      const refresh = state.refresh.get(hash)
      const session = refresh && state.sessions.get(refresh.sessionId)?.session
      return session && structuredClone({ refresh, session })
    },
    async ofUser(userId, { limit }) {
      return [...state.sessions.values()]
        .map((row) => row.session)
        .filter((session) => session.userId === userId)
        .sort((a, b) => b.createdAt - a.createdAt || compareText(b.id, a.id))
        .slice(0, Math.max(0, limit))
        .map((session) => structuredClone(session))
    },
    async rotate({ presentedHash, successor, issued, now }) {
      refuseText([successor, issued])
      const presented = state.refresh.get(presentedHash)
      const session = presented && state.sessions.get(presented.sessionId)?.session
      if (presented === undefined || session === undefined || successor.sessionId !== session.id) return 'invalid'
      if (session.endedAt !== null || session.expiresAt <= now || !generationsHold(state, session)) return 'invalid'
      if (presented.spentAt !== null) return 'spent'
      if (presented.expiresAt <= now) return 'invalid'
      if (state.refresh.has(successor.hash) || state.issued.has(issued.jti)) {
        throw new Error('The successor or the access token is stored already.')
      }
      state.refresh.set(presentedHash, { ...presented, spentAt: now })
      state.refresh.set(successor.hash, copy(successor))
      storeIssued(state, issued)
      return 'rotated'
    },
    async end(id, reason, now) {
      return endSession(state, id, reason, now)
    },
  }
}

export function memoryIssued(state: MemoryState): IssuedStore {
  return {
    async add(issued) {
      if (state.issued.has(issued.jti)) throw new Error('There is an access token by that jti already.')
      storeIssued(state, issued)
    },
    async status(jti) {
      const row = state.issued.get(jti)
      if (row === undefined) return undefined
      const sessionEndedAt = state.sessions.get(row.issued.sessionId)?.session.endedAt ?? null
      return structuredClone({ ...row, sessionEndedAt })
    },
    async revoke(jti, now) {
      const row = state.issued.get(jti)
      if (row === undefined || row.revokedAt !== null) return false
      state.issued.set(jti, { ...row, revokedAt: now })
      return true
    },
  }
}
