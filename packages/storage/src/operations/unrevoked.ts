import type { IssuerStores } from '@countersign/issuer'
import type { RevocationEntry } from '@countersign/revocation'
import { all, type OperationOf } from '../operation.ts'
import type { Compile } from '../statement.ts'

export interface UnrevokedReads {
  readonly unrevoked: OperationOf<IssuerStores['unrevoked']>
}

interface Since {
  readonly since: number
  readonly limit: number
  /** The kind of entry that is looked for. */
  readonly type: 'sid' | 'jti' | 'subject' | 'client'
}

/** Texts are no part of a statement: every value comes in by its place. */
type SinceSession = Since & Readonly<Record<'none' | 'global' | 'client' | 'subject', string>>

export function unrevokedReads(compile: Compile): UnrevokedReads {
  const sessions = compile<SinceSession>()((db, p) =>
    db
      .selectFrom('sessions as s')
      .leftJoin('revocation_entries as e', (join) => join.on('e.type', '=', p('type')).onRef('e.id', '=', 's.id'))
      .leftJoin('revocation_entries as g', (join) => join.on('g.type', '=', p('global')).on('g.id', '=', p('none')))
      .leftJoin('revocation_entries as c', (join) =>
        join.on('c.type', '=', p('client')).onRef('c.id', '=', 's.client_id'),
      )
      .leftJoin('revocation_entries as u', (join) =>
        join.on('u.type', '=', p('subject')).onRef('u.id', '=', 's.user_id'),
      )
      .select('s.id')
      .where('s.ended_at', 'is not', null)
      .where('s.issued_until', '>=', p('since'))
      .where('e.type', 'is', null)
      .where((eb) => eb.or([eb('g.type', 'is', null), eb('g.min_generation', '<=', eb.ref('s.global_generation'))]))
      .where((eb) => eb.or([eb('c.type', 'is', null), eb('c.min_generation', '<=', eb.ref('s.client_generation'))]))
      .where((eb) => eb.or([eb('u.type', 'is', null), eb('u.min_generation', '<=', eb.ref('s.user_generation'))]))
      .limit(p('limit')),
  )
  const tokens = compile<Since>()((db, p) =>
    db
      .selectFrom('issued_tokens as t')
      .leftJoin('revocation_entries as e', (join) => join.on('e.type', '=', p('type')).onRef('e.id', '=', 't.jti'))
      .select('t.jti as id')
      .where('t.revoked_at', 'is not', null)
      .where('t.expires_at', '>=', p('since'))
      .where('e.type', 'is', null)
      .limit(p('limit')),
  )
  const users = compile<Since>()((db, p) =>
    db
      .selectFrom('users as a')
      .leftJoin('revocation_entries as e', (join) => join.on('e.type', '=', p('type')).onRef('e.id', '=', 'a.id'))
      .select(['a.id', 'a.generation'])
      .where('a.disabled_at', '>=', p('since'))
      .where((eb) => eb('a.generation', '>', eb.lit(0)))
      .where((eb) => eb.or([eb('e.type', 'is', null), eb('e.min_generation', '<', eb.ref('a.generation'))]))
      .limit(p('limit')),
  )
  const clients = compile<Since>()((db, p) =>
    db
      .selectFrom('clients as a')
      .leftJoin('revocation_entries as e', (join) => join.on('e.type', '=', p('type')).onRef('e.id', '=', 'a.id'))
      .select(['a.id', 'a.generation'])
      .where('a.disabled_at', '>=', p('since'))
      .where((eb) => eb('a.generation', '>', eb.lit(0)))
      .where((eb) => eb.or([eb('e.type', 'is', null), eb('e.min_generation', '<', eb.ref('a.generation'))]))
      .limit(p('limit')),
  )
  return {
    *unrevoked({ now, until, skewSeconds, limit }) {
      const most = Math.max(0, limit)
      const missing: RevocationEntry[] = []
      const tokenSince = { since: now - skewSeconds, limit: most }
      const names = { none: '', global: 'global', client: 'client', subject: 'subject' }
      for (const { id } of yield* all(sessions, { ...tokenSince, ...names, type: 'sid' })) {
        missing.push({ type: 'sid', id, until })
      }
      for (const { id } of yield* all(tokens, { ...tokenSince, type: 'jti' })) missing.push({ type: 'jti', id, until })
      const accounts = [['subject', users] as const, ['client', clients] as const]
      for (const [type, statement] of accounts) {
        // As long ago as the entries would have lived: by then they have been dropped.
        for (const row of yield* all(statement, { since: now - (until - now), limit: most, type })) {
          missing.push({ type, id: row.id, minGeneration: row.generation, until })
        }
      }
      return missing.slice(0, most)
    },
  }
}
