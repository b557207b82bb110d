import type {
  ClientRecord,
  ExchangeEntry,
  ExchangeOutcome,
  IssuedRecord,
  IssuedStore,
  LiveTokens,
  Party,
  SessionStore,
  UserRecord,
} from '../ports.ts'
import { appendEntry, foreignEnd } from './memory-revocations.ts'
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
      if (refresh !== null) state.refresh.set(refresh.hash, { ...copy(refresh), predecessor: null, replay: null })
      storeIssued(state, issued)
      return true
    },
    async byId(id) {
      return structuredClone(state.sessions.get(id)?.session)
    },
    async byRefresh(hash) {
      const row = state.refresh.get(hash)
      const session = row && state.sessions.get(row.sessionId)?.session
      if (row === undefined || session === undefined) return undefined
      const user = state.users.get(session.userId)
      if (user === undefined) return undefined
      const { id, generation, synthetic, disabledAt } = user
      const { predecessor: _, replay, ...refresh } = row
      return structuredClone({
        refresh,
        session,
        replayUntil: replay?.until ?? null,
        user: { id, generation, synthetic, disabledAt },
        globalGeneration: state.globalGeneration,
      })
    },
    async ofUser(userId, { limit }) {
      return [...state.sessions.values()]
        .map((row) => row.session)
        .filter((session) => session.userId === userId)
        .sort((a, b) => b.createdAt - a.createdAt || compareText(b.id, a.id))
        .slice(0, Math.max(0, limit))
        .map((session) => structuredClone(session))
    },
    async rotate({ presentedHash, successor, issued, now, replay }) {
      refuseText([successor, issued, replay])
      const presented = state.refresh.get(presentedHash)
      const session = presented && state.sessions.get(presented.sessionId)?.session
      if (presented === undefined || session === undefined || successor.sessionId !== session.id) return 'invalid'
      if (session.endedAt !== null || session.expiresAt <= now || !generationsHold(state, session)) return 'invalid'
      if (presented.spentAt !== null) {
        if (presented.replay === null || presented.replay.until <= now) return 'spent'
        if (state.issued.has(issued.jti)) throw new Error('The access token is stored already.')
        storeIssued(state, issued)
        return { replayed: presented.replay.sealed }
      }
      if (presented.expiresAt <= now) return 'invalid'
      if (state.refresh.has(successor.hash) || state.issued.has(issued.jti)) {
        throw new Error('The successor or the access token is stored already.')
      }
      const before = presented.predecessor === null ? undefined : state.refresh.get(presented.predecessor)
      if (before !== undefined) state.refresh.set(before.hash, { ...before, replay: null })
      state.refresh.set(presentedHash, { ...presented, spentAt: now, replay: replay ?? null })
      state.refresh.set(successor.hash, { ...copy(successor), predecessor: presentedHash, replay: null })
      storeIssued(state, issued)
      return 'rotated'
    },
    async forgetReplays(now) {
      let forgotten = 0
      for (const row of state.refresh.values()) {
        if (row.replay === null || row.replay.until > now) continue
        state.refresh.set(row.hash, { ...row, replay: null })
        forgotten += 1
      }
      return forgotten
    },
    async end(id, reason, now, until) {
      if (!endSession(state, id, reason, now)) return false
      appendEntry(state, { type: 'sid', id, until }, now)
      return true
    },
  }
}

function judgeExchange(state: MemoryState, entry: ExchangeEntry): ExchangeOutcome {
  const ended = foreignEnd(state, entry.foreign ?? [])
  if (ended !== undefined) return ended
  const rows = entry.tokens.map((jti) => state.issued.get(jti))
  for (const row of rows) if (row === undefined) return 'unknown_token'
  const { presented } = entry
  const first = rows[0]?.issued
  if (presented !== null && (first?.subject !== presented.subject || first.clientId !== presented.clientId)) {
    return 'unknown_token'
  }
  if (rows.some((row) => row?.revokedAt !== null)) return 'token_revoked'
  const endedAt = (id: string): number | null => state.sessions.get(id)?.session.endedAt ?? null
  if (rows.some((row) => row !== undefined && endedAt(row.issued.sessionId) !== null)) return 'session_ended'
  if (entry.global < state.globalGeneration) return 'party_ended'
  const holds = ({ id, generation }: Party, record: ClientRecord | UserRecord | undefined): boolean =>
    record?.id === id && record.disabledAt === null && generation >= record.generation
  if (!entry.clients.every((party) => holds(party, state.clients.get(party.id)))) return 'party_ended'
  return entry.users.every((party) => holds(party, state.users.get(party.id))) ? 'stored' : 'party_ended'
}

export function memoryIssued(state: MemoryState): IssuedStore {
  return {
    async add(issued) {
      if (state.issued.has(issued.jti)) throw new Error('There is an access token by that jti already.')
      storeIssued(state, issued)
    },
    async exchange(entry) {
      if (state.issued.has(entry.issued.jti)) throw new Error('There is an access token by that jti already.')
      const outcome = judgeExchange(state, entry)
      if (outcome === 'stored') storeIssued(state, entry.issued)
      return outcome
    },
    async foreignEnd(foreign) {
      return foreignEnd(state, foreign)
    },
    async status(jti) {
      const row = state.issued.get(jti)
      if (row === undefined) return undefined
      const sessionEndedAt = state.sessions.get(row.issued.sessionId)?.session.endedAt ?? null
      return structuredClone({ ...row, sessionEndedAt })
    },
    async revoke(jti, now, until) {
      const row = state.issued.get(jti)
      if (row === undefined || row.revokedAt !== null) return false
      state.issued.set(jti, { ...row, revokedAt: now })
      appendEntry(state, { type: 'jti', id: jti, until }, now)
      return true
    },
    async latestExpiry() {
      const expiries = [...state.issued.values()].map((row) => row.issued.expiresAt)
      return expiries.length === 0 ? undefined : Math.max(...expiries)
    },
    async liveByKey(kids, now) {
      const live = new Map<string, LiveTokens>()
      for (const { issued } of state.issued.values()) {
        const { kid, audience, expiresAt } = issued
        if (!kids.includes(kid) || expiresAt <= now) continue
        const known = live.get(JSON.stringify([kid, audience]))
        const until = Math.max(known?.until ?? 0, expiresAt)
        live.set(JSON.stringify([kid, audience]), { kid, audience, tokens: (known?.tokens ?? 0) + 1, until })
      }
      return [...live.values()].sort((a, b) => compareText(a.kid, b.kid) || compareText(a.audience, b.audience))
    },
  }
}
