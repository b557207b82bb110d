import type { ExchangeEntry, ExchangeOutcome, IssuedStore, Party } from '@countersign/issuer'
import { all, first, type Operation, type OperationOf } from '../operation.ts'
import type { Compile } from '../statement.ts'
import { storeIssued } from './issued.ts'
import { selectSetting, globalGenerationSetting as setting } from './settings.ts'

export interface ExchangeWrites {
  readonly exchange: OperationOf<IssuedStore['exchange']>
}

/** A statement has as many places as it was made with: the presented token and 4 ancestors; clients go by threes. */
type Tokens = Readonly<Record<'one' | 'two' | 'three' | 'four' | 'five', string>>
type Clients = Readonly<Record<'one' | 'two' | 'three', string>>

export function exchangeWrites(compile: Compile): ExchangeWrites {
  const tokens = compile<Tokens>()((db, p) =>
    db
      .selectFrom('issued_tokens as t')
      .leftJoin('sessions as s', 's.id', 't.session_id')
      .select(['t.jti', 't.subject', 't.client_id', 't.revoked_at', 's.ended_at'])
      .where('t.jti', 'in', [p('one'), p('two'), p('three'), p('four'), p('five')]),
  )
  const clients = compile<Clients>()((db, p) =>
    db
      .selectFrom('clients')
      .select(['id', 'generation'])
      .where('id', 'in', [p('one'), p('two'), p('three')])
      .where('disabled_at', 'is', null),
  )
  const user = compile<{ id: string }>()((db, p) =>
    db.selectFrom('users').select(['id', 'generation']).where('id', '=', p('id')).where('disabled_at', 'is', null),
  )
  const global = compile<{ setting: string }>()((db, p) => selectSetting(db, p('setting')))
  const store = storeIssued(compile)

  function* judgeTokens({ tokens: [one, ...ancestors], presented }: ExchangeEntry): Operation<ExchangeOutcome> {
    if (one === undefined) return presented === null ? 'stored' : 'unknown_token'
    // No row has an empty `jti`.
    const [two = '', three = '', four = '', five = ''] = ancestors
    const rows = yield* all(tokens, { one, two, three, four, five })
    const found = rows.find((row) => row.jti === one)
    if (rows.length !== new Set([one, ...ancestors]).size) return 'unknown_token'
    if (found?.subject !== presented?.subject || found?.client_id !== presented?.clientId) return 'unknown_token'
    if (rows.some((row) => row.revoked_at !== null)) return 'token_revoked'
    return rows.some((row) => row.ended_at !== null) ? 'session_ended' : 'stored'
  }

  function* partiesHold(entry: ExchangeEntry): Operation<boolean> {
    if (entry.global < ((yield* first(global, { setting }))?.value ?? 0)) return false
    for (let at = 0; at < entry.clients.length; at += 3) {
      const wanted = entry.clients.slice(at, at + 3)
      const [one = '', two = '', three = ''] = wanted.map(({ id }) => id)
      if (!hold(wanted, yield* all(clients, { one, two, three }))) return false
    }
    for (const wanted of entry.users) if (!hold([wanted], yield* all(user, { id: wanted.id }))) return false
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

function hold(wanted: readonly Party[], found: readonly Party[]): boolean {
  return wanted.every(({ id, generation }) => {
    const row = found.find((one) => one.id === id)
    return row !== undefined && generation >= row.generation
  })
}
