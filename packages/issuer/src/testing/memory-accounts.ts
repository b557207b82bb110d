import type { ClientStore, UserStore } from '../ports.ts'
import { appendEntry } from './memory-revocations.ts'
import { copy, endSession, type MemoryState, page, refuseText } from './memory-state.ts'

function find<T>(rows: Iterable<T>, wanted: (row: T) => boolean): T | undefined {
  for (const row of rows) if (wanted(row)) return structuredClone(row)
  return undefined
}

export function memoryUsers(state: MemoryState): UserStore {
  const endAll = (
    userId: string,
    reason: 'user_disabled' | 'password_changed' | 'permissions_changed',
    now: number,
  ): void => {
    for (const { session } of state.sessions.values()) {
      if (session.userId === userId) endSession(state, session.id, reason, now)
    }
  }
  return {
    async add(user) {
      if (state.users.has(user.id)) return false
      for (const other of state.users.values()) if (other.identifier === user.identifier) return false
      state.users.set(user.id, copy(user))
      return true
    },
    async byId(id) {
      return structuredClone(state.users.get(id))
    },
    async byIdentifier(identifier) {
      return find(state.users.values(), (user) => user.identifier === identifier)
    },
    async list({ after, limit }) {
      return page(state.users.values(), (user) => user.identifier, after, limit)
    },
    async setPassword(id, passwordHash, now, until) {
      refuseText(passwordHash)
      const user = state.users.get(id)
      if (user === undefined) return false
      state.users.set(id, { ...user, passwordHash, generation: user.generation + 1 })
      endAll(id, 'password_changed', now)
      appendEntry(state, { type: 'subject', id, minGeneration: user.generation + 1, until }, now)
      return true
    },
    async setScopes(id, scopes, now, until) {
      const user = state.users.get(id)
      if (user === undefined) return false
      state.users.set(id, copy({ ...user, scopes, generation: user.generation + 1 }))
      endAll(id, 'permissions_changed', now)
      appendEntry(state, { type: 'subject', id, minGeneration: user.generation + 1, until }, now)
      return true
    },
    async rehashPassword(id, from, to) {
      refuseText(to)
      const user = state.users.get(id)
      if (user === undefined || user.passwordHash !== from) return false
      state.users.set(id, { ...user, passwordHash: to })
      return true
    },
    async disable(id, now, until) {
      const user = state.users.get(id)
      if (user === undefined || user.disabledAt !== null) return false
      state.users.set(id, { ...user, disabledAt: now, generation: user.generation + 1 })
      endAll(id, 'user_disabled', now)
      appendEntry(state, { type: 'subject', id, minGeneration: user.generation + 1, until }, now)
      return true
    },
  }
}

export function memoryClients(state: MemoryState): ClientStore {
  return {
    async add(client) {
      if (state.clients.has(client.id)) return false
      for (const other of state.clients.values()) if (other.name === client.name) return false
      state.clients.set(client.id, copy(client))
      return true
    },
    async byId(id) {
      return structuredClone(state.clients.get(id))
    },
    async byName(name) {
      return find(state.clients.values(), (client) => client.name === name)
    },
    async list({ after, limit }) {
      return page(state.clients.values(), (client) => client.name, after, limit)
    },
    async setSecrets(id, secrets) {
      const client = state.clients.get(id)
      if (client === undefined) return false
      state.clients.set(id, { ...client, secrets: copy(secrets) })
      return true
    },
    async setKeys(id, keys) {
      const client = state.clients.get(id)
      if (client === undefined) return false
      state.clients.set(id, { ...client, keys: copy(keys) })
      return true
    },
    async disable(id, now, until) {
      const client = state.clients.get(id)
      if (client === undefined || client.disabledAt !== null) return false
      state.clients.set(id, { ...client, disabledAt: now, generation: client.generation + 1 })
      for (const { session } of state.sessions.values()) {
        if (session.clientId === id) endSession(state, session.id, 'client_disabled', now)
      }
      appendEntry(state, { type: 'client', id, minGeneration: client.generation + 1, until }, now)
      return true
    },
  }
}
