import type { ExchangeEntry, ExchangeOutcome, IssuedStore, Party } from '@countersign/issuer'
import { first, type Operation, type OperationOf } from '../operation.ts'
import type { Compile } from '../statement.ts'
import { storeIssued } from './issued.ts'
import { selectSetting, globalGenerationSetting as setting } from './settings.ts'

export interface ExchangeWrites {
  readonly exchange: OperationOf<IssuedStore['exchange']>
}

/** Row by row: most exchanges look at one token, two clients and a user, and a list of places costs more than that. */
export function exchangeWrites(compile: Compile): ExchangeWrites {
  const token = compile<{ jti: string }>()((db, p) =>
    db
      .selectFrom('issued_tokens as t')
      .leftJoin('sessions as s', 's.id', 't.session_id')
      .select(['t.subject', 't.client_id', 't.revoked_at', 's.ended_at'])
      .where('t.jti', '=', p('jti')),
  )
  const client = compile<{ id: string }>()((db, p) =>
    db.selectFrom('clients').select('generation').where('id', '=', p('id')).where('disabled_at', 'is', null),
  )
  const user = compile<{ id: string }>()((db, p) =>
    db.selectFrom('users').select('generation').where('id', '=', p('id')).where('disabled_at', 'is', null),
  )
  const global = compile<{ setting: string }>()((db, p) => selectSetting(db, p('setting')))
  const store = storeIssued(compile)

  function* judgeTokens({ tokens, presented }: ExchangeEntry): Operation<ExchangeOutcome> {
    if (tokens.length === 0 && presented !== null) return 'unknown_token'
    let outcome: ExchangeOutcome = 'stored'
    for (const [index, jti] of tokens.entries()) {
      const row = yield* first(token, { jti })
      if (row === undefined) return 'unknown_token'
      const isAnother = row.subject !== presented?.subject || row.client_id !== presented.clientId
      if (index === 0 && isAnother) return 'unknown_token'
      if (row.revoked_at !== null) outcome = 'token_revoked'
      else if (row.ended_at !== null && outcome === 'stored') outcome = 'session_ended'
    }
    return outcome
  }

  function* partiesHold({ clients, users, ...entry }: ExchangeEntry): Operation<boolean> {
    if (entry.global < ((yield* first(global, { setting }))?.value ?? 0)) return false
    for (const party of clients) if (!holds(party, yield* first(client, { id: party.id }))) return false
    for (const party of users) if (!holds(party, yield* first(user, { id: party.id }))) return false
    return true
  }

  return {
    // Without locks: what it rests on may end at the same moment. The token then came before, and the end reaches it by its
    // ancestors, its session and its generations.
    *exchange(entry) {
      const outcome = yield* judgeTokens(entry)
      if (outcome !== 'stored') return outcome
      if (!(yield* partiesHold(entry))) return 'party_ended'
      yield* store(entry.issued)
      return 'stored'
    },
  }
}

function holds({ generation }: Party, row: { readonly generation: number } | undefined): boolean {
  return row !== undefined && generation >= row.generation
}
