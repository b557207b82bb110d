import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeCredentialStore } from '@countersign/credentials/testing'
import { describeIssuerStores } from '@countersign/issuer/testing'
import { describeKeyRingStore, type StoreUnderTest } from '@countersign/keys/testing'
import { describe, it } from 'vitest'
import { openSqlite, type SqliteDatabase, type Stores } from '../src/sqlite.ts'

function open<K extends keyof Stores>(port: K): () => Promise<StoreUnderTest<Stores[K]>> {
  return async () => {
    const directory = mkdtempSync(join(tmpdir(), 'countersign-storage-'))
    const opened: SqliteDatabase[] = []
    const database = async (): Promise<SqliteDatabase> => {
      const one = await openSqlite(join(directory, 'data', 'countersign.db'), { pollIntervalMs: 10 })
      opened.push(one)
      return one
    }
    const closeAll = async (): Promise<void> => {
      await Promise.all(opened.splice(0).map((one) => one.close()))
    }
    return {
      store: (await database()).stores[port],
      async reopen() {
        await closeAll()
        return (await database()).stores[port]
      },
      another: async () => (await database()).stores[port],
      async close() {
        await closeAll()
        rmSync(directory, { recursive: true, force: true })
      },
    }
  }
}

// Beside each other: each has a database of its own, and waits for a thread to start.
const runner = { describe, it: it.concurrent }
describeKeyRingStore('openSqlite', open('keys'), runner)
describeIssuerStores('openSqlite', open('issuer'), runner)
describeCredentialStore('openSqlite', open('credentials'), runner)
