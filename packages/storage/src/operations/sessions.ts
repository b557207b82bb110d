import type { RefreshRecord, SessionEndReason, SessionRecord, SessionStore } from '@countersign/issuer'
import type { Selectable } from 'kysely'
import { all, first, type Lock, lock, type OperationOf, run, send } from '../operation.ts'
import type { SessionsTable } from '../schema.ts'
import type { Compile } from '../statement.ts'
import { endSessions } from './end-sessions.ts'
import { storeIssued } from './issued.ts'
import type { Revoke } from './revocations.ts'
import { selectSetting, globalGenerationSetting as setting } from './settings.ts'

function toSession(row: Omit<Selectable<SessionsTable>, 'issued_until' | 'keep_until'>): SessionRecord {
  return {
    id: row.id,
    userId: row.user_id,
    clientId: row.client_id,
    audience: row.audience,
    scope: row.scope,
    generations: [row.global_generation, row.client_generation, row.user_generation],
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    endedAt: row.ended_at,
    endReason: row.end_reason as SessionEndReason | null,
  }
}

export interface SessionReads {
  readonly sessionById: OperationOf<SessionStore['byId']>
  readonly sessionByRefresh: OperationOf<SessionStore['byRefresh']>
  readonly sessionsOfUser: OperationOf<SessionStore['ofUser']>
}

export function sessionReads(compile: Compile): SessionReads {
  const byId = compile<{ id: string }>()((db, p) => db.selectFrom('sessions').selectAll().where('id', '=', p('id')))
  const ofUser = compile<{ userId: string; limit: number }>()((db, p) =>
    db
      .selectFrom('sessions')
      .selectAll()
      .where('user_id', '=', p('userId'))
      .orderBy('created_at', 'desc')
      .orderBy('id', 'desc')
      .limit(p('limit')),
  )
  const byRefresh = compile<{ hash: string; setting: string }>()((db, p) =>
    db
      .selectFrom('refresh_tokens as r')
      .innerJoin('sessions as s', 's.id', 'r.session_id')
      .innerJoin('users as u', 'u.id', 's.user_id')
      .selectAll('s')
      .select(['r.hash', 'r.created_at as refresh_created_at', 'r.expires_at as refresh_expires_at', 'r.spent_at'])
      .select(['r.replay_until', 'u.generation as user', 'u.synthetic', 'u.disabled_at'])
      .select(selectSetting(db, p('setting')).as('global'))
      .where('r.hash', '=', p('hash')),
  )
  return {
    *sessionById(id) {
      const row = yield* first(byId, { id })
      return row && toSession(row)
    },
    *sessionByRefresh(hash) {
      const row = yield* first(byRefresh, { hash, setting })
      if (row === undefined) return undefined
      const refresh: RefreshRecord = {
        hash: row.hash,
        sessionId: row.id,
        createdAt: row.refresh_created_at,
        expiresAt: row.refresh_expires_at,
        spentAt: row.spent_at,
      }
      return {
        refresh,
        session: toSession(row),
        replayUntil: row.replay_until,
        user: {
          id: row.user_id,
          generation: row.user,
          synthetic: row.synthetic === 1,
          disabledAt: row.disabled_at,
        },
        globalGeneration: row.global ?? 0,
      }
    },
    *sessionsOfUser(userId, { limit }) {
      const rows = yield* all(ofUser, { userId, limit: Math.max(0, limit) })
      return rows.map(toSession)
    },
  }
}

export interface SessionWrites {
  readonly openSession: OperationOf<SessionStore['open']>
  readonly rotateRefresh: OperationOf<SessionStore['rotate']>
  readonly forgetReplays: OperationOf<SessionStore['forgetReplays']>
  readonly endSession: OperationOf<SessionStore['end']>
}

interface Accounts {
  readonly userId: string
  readonly clientId: string
  readonly setting: string
}

type NewSession = Omit<SessionRecord, 'generations'> & {
  readonly global: number
  readonly client: number
  readonly user: number
  readonly issuedUntil: number
  readonly keepUntil: number
}

interface SessionLocks {
  readonly user: Lock<{ readonly id: string }>
  readonly client: Lock<{ readonly id: string }>
  readonly session: Lock<{ readonly id: string }>
}

function sessionLocks(compile: Compile): SessionLocks {
  if (!compile.locksRows) return { user: undefined, client: undefined, session: undefined }
  const bounded = compile<{ readonly id: string }>()
  return {
    // Shared: sign-ins of one account do not wait for each other.
    user: bounded((db, p) => db.selectFrom('users').select('id').where('id', '=', p('id')).forShare()),
    client: bounded((db, p) => db.selectFrom('clients').select('id').where('id', '=', p('id')).forShare()),
    session: bounded((db, p) => db.selectFrom('sessions').select('id').where('id', '=', p('id')).forNoKeyUpdate()),
  }
}

export function sessionWrites(compile: Compile, revoke: Revoke): SessionWrites {
  // Inner joins: a user or client that is gone or disabled gives no row.
  const accounts = compile<Accounts>()((db, p) =>
    db
      .selectFrom('users as u')
      .innerJoin('clients as c', (join) => join.on('c.id', '=', p('clientId')).on('c.disabled_at', 'is', null))
      .select(['u.generation as user', 'c.generation as client', selectSetting(db, p('setting')).as('global')])
      .where('u.id', '=', p('userId'))
      .where('u.disabled_at', 'is', null),
  )
  // With what its accounts are now. Inner joins here too.
  const presented = compile<{ hash: string; setting: string }>()((db, p) =>
    db
      .selectFrom('refresh_tokens as r')
      .innerJoin('sessions as s', 's.id', 'r.session_id')
      .innerJoin('users as u', (join) => join.onRef('u.id', '=', 's.user_id').on('u.disabled_at', 'is', null))
      .innerJoin('clients as c', (join) => join.onRef('c.id', '=', 's.client_id').on('c.disabled_at', 'is', null))
      .select(['s.id', 's.global_generation', 's.client_generation', 's.user_generation', 's.issued_until'])
      .select(['s.expires_at as session_expires_at', 's.ended_at', 'r.expires_at', 'r.spent_at'])
      .select(['r.predecessor', 'r.sealed_successor', 'r.replay_until'])
      .select(['u.generation as user', 'c.generation as client', selectSetting(db, p('setting')).as('global')])
      .where('r.hash', '=', p('hash')),
  )
  const spend = compile<{ hash: string; now: number; sealed: string | null; until: number | null }>()((db, p) =>
    db
      .updateTable('refresh_tokens')
      .set({ spent_at: p('now'), sealed_successor: p('sealed'), replay_until: p('until') })
      .where('hash', '=', p('hash'))
      .where('spent_at', 'is', null),
  )
  const unseal = compile<{ hash: string }>()((db, p) =>
    db
      .updateTable('refresh_tokens')
      .set((eb) => ({ sealed_successor: eb.lit(null), replay_until: eb.lit(null) }))
      .where('hash', '=', p('hash'))
      .where('replay_until', 'is not', null),
  )
  const unsealExpired = compile<{ now: number }>()((db, p) =>
    db
      .updateTable('refresh_tokens')
      .set((eb) => ({ sealed_successor: eb.lit(null), replay_until: eb.lit(null) }))
      .where('replay_until', '<=', p('now')),
  )
  const insertRefresh = compile<RefreshRecord & { predecessor: string | null }>()((db, p) =>
    db.insertInto('refresh_tokens').values({
      hash: p('hash'),
      session_id: p('sessionId'),
      created_at: p('createdAt'),
      expires_at: p('expiresAt'),
      spent_at: p('spentAt'),
      predecessor: p('predecessor'),
    }),
  )
  const insertSession = compile<NewSession>()((db, p) =>
    db.insertInto('sessions').values({
      id: p('id'),
      user_id: p('userId'),
      client_id: p('clientId'),
      audience: p('audience'),
      scope: p('scope'),
      global_generation: p('global'),
      client_generation: p('client'),
      user_generation: p('user'),
      created_at: p('createdAt'),
      expires_at: p('expiresAt'),
      ended_at: p('endedAt'),
      end_reason: p('endReason'),
      issued_until: p('issuedUntil'),
      keep_until: p('keepUntil'),
    }),
  )
  const end = endSessions(compile, 'id')
  const locks = sessionLocks(compile)
  const issue = storeIssued(compile)

  return {
    *openSession({ session, refresh, issued }) {
      const [global, client, user] = session.generations
      // Nobody may disable the account between this look and the commit: `disableUser` and the like change these rows first.
      yield* lock(locks.user, { id: session.userId })
      yield* lock(locks.client, { id: session.clientId })
      const now = yield* first(accounts, { userId: session.userId, clientId: session.clientId, setting })
      if (now === undefined || user < now.user || client < now.client || global < (now.global ?? 0)) return false
      const over = session.endedAt ?? session.expiresAt
      yield* send(insertSession, { ...session, global, client, user, issuedUntil: 0, keepUntil: over })
      if (refresh !== null) yield* send(insertRefresh, { ...refresh, predecessor: null })
      yield* issue(issued)
      return true
    },

    *rotateRefresh({ presentedHash, successor, issued, now, replay }) {
      // Whatever rotates in this family or ends it has to change this row, or lock it, as well: one after the other. The
      // next statement then sees what they did.
      yield* lock(locks.session, { id: successor.sessionId })
      const row = yield* first(presented, { hash: presentedHash, setting })
      if (row === undefined || row.id !== successor.sessionId) return 'invalid'
      if (row.ended_at !== null || row.session_expires_at <= now) return 'invalid'
      const isUpToDate =
        row.user_generation >= row.user &&
        row.client_generation >= row.client &&
        row.global_generation >= (row.global ?? 0)
      if (!isUpToDate) return 'invalid'
      if (row.spent_at !== null) {
        if (row.sealed_successor === null || (row.replay_until ?? 0) <= now) return 'spent'
        yield* issue(issued, row.issued_until)
        return { replayed: row.sealed_successor }
      }
      if (row.expires_at <= now) return 'invalid'
      // The decision itself: a second one would change no row.
      const seal = { sealed: replay?.sealed ?? null, until: replay?.until ?? null }
      if ((yield* run(spend, { hash: presentedHash, now, ...seal })) === 0) return 'spent'
      if (row.predecessor !== null) yield* send(unseal, { hash: row.predecessor })
      yield* send(insertRefresh, { ...successor, predecessor: presentedHash })
      yield* issue(issued, row.issued_until)
      return 'rotated'
    },

    *forgetReplays(now) {
      return yield* run(unsealExpired, { now })
    },

    *endSession(id, reason, now, until) {
      if ((yield* run(end, { id, reason, now })) === 0) return false
      yield* revoke({ type: 'sid', id, until }, now)
      return true
    },
  }
}
