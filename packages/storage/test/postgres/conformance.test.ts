import { describeCredentialStore } from '@countersign/credentials/testing'
import { describeIssuerStores } from '@countersign/issuer/testing'
import { describeKeyRingStore, type StoreUnderTest } from '@countersign/keys/testing'
import { describe, it } from 'vitest'
import { openPostgres, type PostgresDatabase, type Stores } from '../../src/postgres.ts'
import { patient } from './patient.ts'
import { databaseUrl, newSchema } from './support.ts'

function open<K extends keyof Stores>(port: K): () => Promise<StoreUnderTest<Stores[K]>> {
  return async () => {
    const url = await databaseUrl()
    const schema = newSchema()
    const opened: PostgresDatabase[] = []
    const database = async (): Promise<PostgresDatabase> => {
      const one = await openPostgres(url, { ...patient, schema, pollIntervalMs: 20, maxConnections: 4 })
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
      close: closeAll,
    }
  }
}

// Beside each other: each has tables of its own. No more at once than the server has connections for.
const runner = { describe, it: it.concurrent }
describeKeyRingStore('openPostgres', open('keys'), runner)
describeIssuerStores('openPostgres', open('issuer'), runner)
describeCredentialStore('openPostgres', open('credentials'), runner)
