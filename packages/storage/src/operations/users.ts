import type { UserRecord, UserStore } from '@countersign/issuer'
import type { Selectable } from 'kysely'
import { all, first, lock, type OperationOf, run, send } from '../operation.ts'
import type { UsersTable } from '../schema.ts'
import type { Compile } from '../statement.ts'
import { endSessions, lockSessions } from './end-sessions.ts'
import type { Revoke } from './revocations.ts'

function toUser(row: Selectable<UsersTable>): UserRecord {
  return {
    id: row.id,
    identifier: row.identifier,
    passwordHash: row.password_hash,
    generation: row.generation,
    synthetic: row.synthetic === 1,
    scopes: row.scopes === null ? null : JSON.parse(row.scopes),
    createdAt: row.created_at,
    disabledAt: row.disabled_at,
  }
}

const listOrNull = (scopes: UserRecord['scopes']): string | null => (scopes === null ? null : JSON.stringify(scopes))

export interface UserReads {
  readonly userById: OperationOf<UserStore['byId']>
  readonly userByIdentifier: OperationOf<UserStore['byIdentifier']>
  readonly listUsers: OperationOf<UserStore['list']>
}

export function userReads(compile: Compile): UserReads {
  const byId = compile<{ id: string }>()((db, p) => db.selectFrom('users').selectAll().where('id', '=', p('id')))
  const byIdentifier = compile<{ identifier: string }>()((db, p) =>
    db.selectFrom('users').selectAll().where('identifier', '=', p('identifier')),
  )
  const after = compile<{ after: string; limit: number }>()((db, p) =>
    db.selectFrom('users').selectAll().where('identifier', '>', p('after')).orderBy('identifier').limit(p('limit')),
  )
  return {
    *userById(id) {
      const row = yield* first(byId, { id })
      return row && toUser(row)
    },
    *userByIdentifier(identifier) {
      const row = yield* first(byIdentifier, { identifier })
      return row && toUser(row)
    },
    *listUsers(page) {
      // Every identifier comes after the empty text, and none is empty.
      const rows = yield* all(after, { after: page.after ?? '', limit: Math.max(0, page.limit) })
      return rows.map(toUser)
    },
  }
}

export interface UserWrites {
  readonly addUser: OperationOf<UserStore['add']>
  readonly setPassword: OperationOf<UserStore['setPassword']>
  readonly setScopes: OperationOf<UserStore['setScopes']>
  readonly rehashPassword: OperationOf<UserStore['rehashPassword']>
  readonly disableUser: OperationOf<UserStore['disable']>
}

export function userWrites(compile: Compile, revoke: Revoke): UserWrites {
  const insert = compile<Omit<UserRecord, 'synthetic' | 'scopes'> & { synthetic: number; scopes: string | null }>()(
    (db, p) =>
      db
        .insertInto('users')
        .values({
          id: p('id'),
          identifier: p('identifier'),
          password_hash: p('passwordHash'),
          generation: p('generation'),
          synthetic: p('synthetic'),
          scopes: p('scopes'),
          created_at: p('createdAt'),
          disabled_at: p('disabledAt'),
        })
        .onConflict((conflict) => conflict.doNothing()),
  )
  const setHash = compile<{ id: string; hash: string }>()((db, p) =>
    db
      .updateTable('users')
      .set((eb) => ({ password_hash: p('hash'), generation: eb('generation', '+', eb.lit(1)) }))
      .where('id', '=', p('id'))
      .returning('generation'),
  )
  const setScopes = compile<{ id: string; scopes: string | null }>()((db, p) =>
    db
      .updateTable('users')
      .set((eb) => ({ scopes: p('scopes'), generation: eb('generation', '+', eb.lit(1)) }))
      .where('id', '=', p('id'))
      .returning('generation'),
  )
  const replaceHash = compile<{ id: string; from: string; to: string }>()((db, p) =>
    db
      .updateTable('users')
      .set({ password_hash: p('to') })
      .where('id', '=', p('id'))
      .where('password_hash', '=', p('from')),
  )
  const disable = compile<{ id: string; now: number }>()((db, p) =>
    db
      .updateTable('users')
      .set((eb) => ({ disabled_at: p('now'), generation: eb('generation', '+', eb.lit(1)) }))
      .where('id', '=', p('id'))
      .where('disabled_at', 'is', null)
      .returning('generation'),
  )
  const endOfUser = endSessions(compile, 'user_id')
  const sessionsOf = lockSessions(compile, 'user_id')
  return {
    *addUser(user) {
      const row = { ...user, synthetic: user.synthetic ? 1 : 0, scopes: listOrNull(user.scopes) }
      return (yield* run(insert, row)) === 1
    },
    *setPassword(id, passwordHash, now, until) {
      // The account's row first: whoever opens a session at the same time waits for it, or is seen by the next statement.
      const changed = yield* first(setHash, { id, hash: passwordHash })
      if (changed === undefined) return false
      yield* lock(sessionsOf, { id })
      yield* send(endOfUser, { id, reason: 'password_changed', now })
      yield* revoke({ type: 'subject', id, minGeneration: changed.generation, until }, now)
      return true
    },
    *setScopes(id, scopes, now, until) {
      const changed = yield* first(setScopes, { id, scopes: listOrNull(scopes) })
      if (changed === undefined) return false
      yield* lock(sessionsOf, { id })
      yield* send(endOfUser, { id, reason: 'permissions_changed', now })
      yield* revoke({ type: 'subject', id, minGeneration: changed.generation, until }, now)
      return true
    },
    *rehashPassword(id, from, to) {
      return (yield* run(replaceHash, { id, from, to })) === 1
    },
    *disableUser(id, now, until) {
      const changed = yield* first(disable, { id, now })
      if (changed === undefined) return false
      yield* lock(sessionsOf, { id })
      yield* send(endOfUser, { id, reason: 'user_disabled', now })
      yield* revoke({ type: 'subject', id, minGeneration: changed.generation, until }, now)
      return true
    },
  }
}
