import type { IssuerStores } from '@countersign/issuer'
import type { Kysely, SelectQueryBuilder } from 'kysely'
import { first, type Operation, type OperationOf, send } from '../operation.ts'
import type { Schema } from '../schema.ts'
import type { Compile } from '../statement.ts'

export const globalGenerationSetting = 'global_generation'

/** A setting's value, also as part of another query. */
export function selectSetting(
  db: Kysely<Schema>,
  name: string,
): SelectQueryBuilder<Schema, 'settings', { value: number }> {
  return db.selectFrom('settings').select('value').where('name', '=', name)
}

export interface SettingReads {
  readonly globalGeneration: OperationOf<IssuerStores['globalGeneration']>
}

export function settingReads(compile: Compile): SettingReads {
  const read = compile<{ name: string }>()((db, p) => selectSetting(db, p('name')))
  return {
    *globalGeneration() {
      return (yield* first(read, { name: globalGenerationSetting }))?.value ?? 0
    },
  }
}

export interface SettingWrites {
  /** Writes what is there already: a page is written and synced, so that a full or broken disk shows. */
  readonly touch: () => Operation<void>
}

export function settingWrites(compile: Compile): SettingWrites {
  const touch = compile<{ name: string }>()((db, p) =>
    db
      .updateTable('settings')
      .set((eb) => ({ value: eb.ref('value') }))
      .where('name', '=', p('name')),
  )
  return {
    *touch() {
      yield* send(touch, { name: globalGenerationSetting })
    },
  }
}
