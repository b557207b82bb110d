import type { IssuedRecord, IssuedStore, LiveTokens } from '@countersign/issuer'
import { all, first, type Operation, type OperationOf, run, send } from '../operation.ts'
import type { Compile } from '../statement.ts'
import type { Revoke } from './revocations.ts'

export interface IssuedReads {
  readonly tokenStatus: OperationOf<IssuedStore['status']>
  readonly latestExpiry: OperationOf<IssuedStore['latestExpiry']>
  readonly liveByKey: OperationOf<IssuedStore['liveByKey']>
}

export function issuedReads(compile: Compile): IssuedReads {
  const byJti = compile<{ jti: string }>()((db, p) =>
    db
      .selectFrom('issued_tokens as t')
      .leftJoin('sessions as s', 's.id', 't.session_id')
      .selectAll('t')
      .select('s.ended_at')
      .where('t.jti', '=', p('jti')),
  )
  const latest = compile<object>()((db) =>
    db
      .selectFrom('issued_tokens')
      .select('expires_at')
      .orderBy('expires_at', 'desc')
      .limit((eb) => eb.lit(1)),
  )
  const ofKey = compile<{ kid: string; now: number }>()((db, p) =>
    db
      .selectFrom('issued_tokens')
      .select((eb) => ['audience', eb.fn.count<number>('expires_at').as('tokens'), eb.fn.max('expires_at').as('until')])
      .where('kid', '=', p('kid'))
      .where('expires_at', '>', p('now'))
      .groupBy('audience')
      .orderBy('audience'),
  )
  return {
    *latestExpiry() {
      return (yield* first(latest, {}))?.expires_at
    },
    *liveByKey(kids, now) {
      const live: LiveTokens[] = []
      for (const kid of [...new Set(kids)].sort()) {
        for (const row of yield* all(ofKey, { kid, now })) live.push({ kid, ...row })
      }
      return live
    },
    *tokenStatus(jti) {
      const row = yield* first(byJti, { jti })
      if (row === undefined) return undefined
      return {
        issued: {
          jti: row.jti,
          sessionId: row.session_id,
          kid: row.kid,
          audience: row.audience,
          clientId: row.client_id,
          subject: row.subject,
          issuedAt: row.issued_at,
          expiresAt: row.expires_at,
        },
        revokedAt: row.revoked_at,
        sessionEndedAt: row.ended_at,
      }
    },
  }
}

/**
 * Stores the row, and keeps its session for as long as the token lives.
 * @param keptUntil until when the session's row says so already, if that is known
 */
export function storeIssued(compile: Compile): (issued: IssuedRecord, keptUntil?: number) => Operation<void> {
  const insert = compile<IssuedRecord>()((db, p) =>
    db.insertInto('issued_tokens').values({
      jti: p('jti'),
      session_id: p('sessionId'),
      kid: p('kid'),
      audience: p('audience'),
      client_id: p('clientId'),
      subject: p('subject'),
      issued_at: p('issuedAt'),
      expires_at: p('expiresAt'),
    }),
  )
  const keepSession = compile<IssuedRecord>()((db, p) =>
    db
      .updateTable('sessions')
      .set((eb) => ({
        issued_until: p('expiresAt'),
        keep_until: eb
          .case()
          .when('keep_until', '<', p('expiresAt'))
          .then(p('expiresAt'))
          .else(eb.ref('keep_until'))
          .end(),
      }))
      .where('id', '=', p('sessionId'))
      .where('issued_until', '<', p('expiresAt')),
  )
  return function* (issued, keptUntil = -1) {
    yield* send(insert, issued)
    if (keptUntil < issued.expiresAt) yield* send(keepSession, issued)
  }
}

export interface IssuedWrites {
  readonly addIssued: OperationOf<IssuedStore['add']>
  readonly revokeIssued: OperationOf<IssuedStore['revoke']>
}

export function issuedWrites(compile: Compile, revoke: Revoke): IssuedWrites {
  const mark = compile<{ jti: string; now: number }>()((db, p) =>
    db
      .updateTable('issued_tokens')
      .set({ revoked_at: p('now') })
      .where('jti', '=', p('jti'))
      .where('revoked_at', 'is', null),
  )
  const add = storeIssued(compile)
  return {
    addIssued: (issued) => add(issued),
    *revokeIssued(jti, now, until) {
      if ((yield* run(mark, { jti, now })) === 0) return false
      yield* revoke({ type: 'jti', id: jti, until }, now)
      return true
    },
  }
}
