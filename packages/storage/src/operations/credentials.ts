import type { CredentialRecord, CredentialStore } from '@countersign/credentials'
import { all, first, type Operation, type OperationOf, run } from '../operation.ts'
import type { Compile } from '../statement.ts'

export interface CredentialReads {
  readonly credentialStoreIdentity: () => Operation<string | undefined>
  readonly readCredential: OperationOf<CredentialStore['read']>
  readonly listCredentials: OperationOf<CredentialStore['list']>
  readonly pageOfCredentials: OperationOf<CredentialStore['page']>
}

const record = ['owner', 'name', 'version', 'created_at as createdAt', 'updated_at as updatedAt', 'sealed'] as const
const entry = ['name', 'version', 'created_at as createdAt', 'updated_at as updatedAt'] as const

export function credentialReads(compile: Compile): CredentialReads {
  const identity = compile<object>()((db) =>
    db
      .selectFrom('credential_store')
      .select('identity')
      .where((eb) => eb('id', '=', eb.lit(1))),
  )
  const byPlace = compile<{ owner: string; name: string }>()((db, p) =>
    db.selectFrom('credentials').select(record).where('owner', '=', p('owner')).where('name', '=', p('name')),
  )
  const ofOwner = compile<{ owner: string }>()((db, p) =>
    db.selectFrom('credentials').select(entry).where('owner', '=', p('owner')).orderBy('name'),
  )
  const behind = compile<{ owner: string; name: string; limit: number }>()((db, p) =>
    db
      .selectFrom('credentials')
      .select(record)
      // By the owner alone first, since that is what an index can begin with.
      .where('owner', '>=', p('owner'))
      .where((eb) => eb.or([eb('owner', '>', p('owner')), eb('name', '>', p('name'))]))
      .orderBy('owner')
      .orderBy('name')
      .limit(p('limit')),
  )
  return {
    *credentialStoreIdentity() {
      return (yield* first(identity, {}))?.identity
    },
    *readCredential({ owner, name }) {
      return yield* first(byPlace, { owner, name })
    },
    *listCredentials(owner) {
      return yield* all(ofOwner, { owner })
    },
    *pageOfCredentials(after, limit) {
      // Nothing is before the empty text, and nothing is called that.
      return yield* all(behind, { owner: after?.owner ?? '', name: after?.name ?? '', limit })
    },
  }
}

export interface CredentialWrites {
  /** The first one stays. */
  readonly nameCredentialStore: (identity: string) => Operation<void>
  readonly replaceCredential: OperationOf<CredentialStore['replace']>
  readonly removeCredential: OperationOf<CredentialStore['remove']>
}

export function credentialWrites(compile: Compile): CredentialWrites {
  const name = compile<{ identity: string }>()((db, p) =>
    db
      .insertInto('credential_store')
      .values((eb) => ({ id: eb.lit(1), identity: p('identity') }))
      .onConflict((conflict) => conflict.doNothing()),
  )
  const insert = compile<CredentialRecord>()((db, p) =>
    db
      .insertInto('credentials')
      .values({
        owner: p('owner'),
        name: p('name'),
        version: p('version'),
        created_at: p('createdAt'),
        updated_at: p('updatedAt'),
        sealed: p('sealed'),
      })
      .onConflict((conflict) => conflict.doNothing()),
  )
  const update = compile<CredentialRecord & { previous: string }>()((db, p) =>
    db
      .updateTable('credentials')
      .set({
        version: p('version'),
        created_at: p('createdAt'),
        updated_at: p('updatedAt'),
        sealed: p('sealed'),
      })
      .where('owner', '=', p('owner'))
      .where('name', '=', p('name'))
      .where('sealed', '=', p('previous')),
  )
  const remove = compile<{ owner: string; name: string }>()((db, p) =>
    db.deleteFrom('credentials').where('owner', '=', p('owner')).where('name', '=', p('name')),
  )
  return {
    *nameCredentialStore(identity) {
      yield* run(name, { identity })
    },
    *replaceCredential(next, previous) {
      const changed = previous === undefined ? yield* run(insert, next) : yield* run(update, { ...next, previous })
      return changed === 1
    },
    *removeCredential({ owner, name }) {
      return (yield* run(remove, { owner, name })) === 1
    },
  }
}
