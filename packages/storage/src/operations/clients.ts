import type { ClientRecord, ClientStore } from '@countersign/issuer'
import type { Selectable } from 'kysely'
import { all, first, lock, type OperationOf, run, send } from '../operation.ts'
import type { ClientsTable } from '../schema.ts'
import type { Compile } from '../statement.ts'
import { endSessions, lockSessions } from './end-sessions.ts'
import type { Revoke } from './revocations.ts'

type ClientRow = Selectable<ClientsTable>

// What stands in these columns was written by `toRow`, from the typed record.
function toClient(row: ClientRow): ClientRecord {
  return {
    id: row.id,
    name: row.name,
    type: row.type as ClientRecord['type'],
    firstParty: row.first_party === 1,
    grants: JSON.parse(row.grants),
    audiences: JSON.parse(row.audiences),
    scopes: row.scopes === null ? null : JSON.parse(row.scopes),
    origins: JSON.parse(row.origins),
    refreshDelivery: row.refresh_delivery as ClientRecord['refreshDelivery'],
    secrets: JSON.parse(row.secrets),
    keys: JSON.parse(row.keys),
    generation: row.generation,
    synthetic: row.synthetic === 1,
    createdAt: row.created_at,
    disabledAt: row.disabled_at,
  }
}

function toRow(client: ClientRecord): ClientRow {
  return {
    id: client.id,
    name: client.name,
    type: client.type,
    first_party: client.firstParty ? 1 : 0,
    grants: JSON.stringify(client.grants),
    audiences: JSON.stringify(client.audiences),
    scopes: client.scopes === null ? null : JSON.stringify(client.scopes),
    origins: JSON.stringify(client.origins),
    refresh_delivery: client.refreshDelivery,
    secrets: JSON.stringify(client.secrets),
    keys: JSON.stringify(client.keys),
    generation: client.generation,
    synthetic: client.synthetic ? 1 : 0,
    created_at: client.createdAt,
    disabled_at: client.disabledAt,
  }
}

export interface ClientReads {
  readonly clientById: OperationOf<ClientStore['byId']>
  readonly clientByName: OperationOf<ClientStore['byName']>
  readonly listClients: OperationOf<ClientStore['list']>
}

export function clientReads(compile: Compile): ClientReads {
  const byId = compile<{ id: string }>()((db, p) => db.selectFrom('clients').selectAll().where('id', '=', p('id')))
  const byName = compile<{ name: string }>()((db, p) =>
    db.selectFrom('clients').selectAll().where('name', '=', p('name')),
  )
  const after = compile<{ after: string; limit: number }>()((db, p) =>
    db.selectFrom('clients').selectAll().where('name', '>', p('after')).orderBy('name').limit(p('limit')),
  )
  return {
    *clientById(id) {
      const row = yield* first(byId, { id })
      return row && toClient(row)
    },
    *clientByName(name) {
      const row = yield* first(byName, { name })
      return row && toClient(row)
    },
    *listClients(page) {
      const rows = yield* all(after, { after: page.after ?? '', limit: Math.max(0, page.limit) })
      return rows.map(toClient)
    },
  }
}

export interface ClientWrites {
  readonly addClient: OperationOf<ClientStore['add']>
  readonly setSecrets: OperationOf<ClientStore['setSecrets']>
  readonly setKeys: OperationOf<ClientStore['setKeys']>
  readonly disableClient: OperationOf<ClientStore['disable']>
}

export function clientWrites(compile: Compile, revoke: Revoke): ClientWrites {
  const insert = compile<ClientRow>()((db, p) =>
    db
      .insertInto('clients')
      .values({
        id: p('id'),
        name: p('name'),
        type: p('type'),
        first_party: p('first_party'),
        grants: p('grants'),
        audiences: p('audiences'),
        scopes: p('scopes'),
        origins: p('origins'),
        refresh_delivery: p('refresh_delivery'),
        secrets: p('secrets'),
        keys: p('keys'),
        generation: p('generation'),
        synthetic: p('synthetic'),
        created_at: p('created_at'),
        disabled_at: p('disabled_at'),
      })
      .onConflict((conflict) => conflict.doNothing()),
  )
  const replaceSecrets = compile<{ id: string; secrets: string }>()((db, p) =>
    db
      .updateTable('clients')
      .set({ secrets: p('secrets') })
      .where('id', '=', p('id')),
  )
  const replaceKeys = compile<{ id: string; keys: string }>()((db, p) =>
    db
      .updateTable('clients')
      .set({ keys: p('keys') })
      .where('id', '=', p('id')),
  )
  const disable = compile<{ id: string; now: number }>()((db, p) =>
    db
      .updateTable('clients')
      .set((eb) => ({ disabled_at: p('now'), generation: eb('generation', '+', eb.lit(1)) }))
      .where('id', '=', p('id'))
      .where('disabled_at', 'is', null)
      .returning('generation'),
  )
  const endOfClient = endSessions(compile, 'client_id')
  const sessionsOf = lockSessions(compile, 'client_id')
  return {
    *addClient(client) {
      return (yield* run(insert, toRow(client))) === 1
    },
    *setSecrets(id, secrets) {
      return (yield* run(replaceSecrets, { id, secrets: JSON.stringify(secrets) })) === 1
    },
    *setKeys(id, keys) {
      return (yield* run(replaceKeys, { id, keys: JSON.stringify(keys) })) === 1
    },
    *disableClient(id, now, until) {
      const changed = yield* first(disable, { id, now })
      if (changed === undefined) return false
      yield* lock(sessionsOf, { id })
      yield* send(endOfClient, { id, reason: 'client_disabled', now })
      yield* revoke({ type: 'client', id, minGeneration: changed.generation, until }, now)
      return true
    },
  }
}
