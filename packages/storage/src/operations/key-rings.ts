import type { KeyRingDocument, KeyRingStore } from '@countersign/keys'
import { all, first, type Operation, type OperationOf, run } from '../operation.ts'
import type { Compile } from '../statement.ts'
import { StorageError } from '../storage-error.ts'
import { type Revoke, revokedKeys } from './revocations.ts'

export interface KeyRingReads {
  readonly readKeyRing: OperationOf<KeyRingStore['read']>
  /** Changes whenever any ring does. */
  readonly keyRingsMark: () => Operation<string>
}

export function keyRingReads(compile: Compile): KeyRingReads {
  const byName = compile<{ name: string }>()((db, p) =>
    db.selectFrom('key_rings').selectAll().where('name', '=', p('name')),
  )
  const versions = compile<object>()((db) => db.selectFrom('key_rings').select(['name', 'version']).orderBy('name'))
  return {
    *readKeyRing(name) {
      const row = yield* first(byName, { name })
      return row && parseDocument(row.document, row.name, row.version)
    },
    *keyRingsMark() {
      return JSON.stringify((yield* all(versions, {})).map((row) => [row.name, row.version]))
    },
  }
}

/** The rest of its form is checked by whoever loads the ring, signatures and thumbprints included. */
function parseDocument(text: string, name: string, version: number): KeyRingDocument {
  try {
    const document: KeyRingDocument = JSON.parse(text)
    if (document.name === name && document.version === version) return document
  } catch (cause) {
    throw new StorageError('corrupt', `The key ring "${name}" is not JSON.`, { cause })
  }
  throw new StorageError('corrupt', `The key ring "${name}" is stored under another name or version than its own.`)
}

export interface KeyRingWrites {
  readonly replaceKeyRing: OperationOf<KeyRingStore['replace']>
}

export function keyRingWrites(compile: Compile, revoke: Revoke): KeyRingWrites {
  const insert = compile<{ name: string; version: number; document: string }>()((db, p) =>
    db
      .insertInto('key_rings')
      .values({ name: p('name'), version: p('version'), document: p('document') })
      .onConflict((conflict) => conflict.doNothing()),
  )
  const update = compile<{ name: string; version: number; from: number; document: string }>()((db, p) =>
    db
      .updateTable('key_rings')
      .set({ version: p('version'), document: p('document') })
      .where('name', '=', p('name'))
      .where('version', '=', p('from')),
  )
  return {
    *replaceKeyRing(ring) {
      const { name, version } = ring
      const document = JSON.stringify(ring)
      const changed =
        version === 1
          ? yield* run(insert, { name, version, document })
          : yield* run(update, { name, version, from: version - 1, document })
      if (changed === 0) return false
      for (const entry of revokedKeys(ring)) yield* revoke(entry, Math.floor(ring.updatedAt))
      return true
    },
  }
}
