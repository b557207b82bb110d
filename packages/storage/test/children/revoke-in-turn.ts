// Revokes the tokens 0 … COUNT-1 one after the other and prints `ID ok` or `ID CODE` after each answer; at last the events.
import { writeSync } from 'node:fs'
import { isStorageError, openSqlite, type SqliteEvent } from '../../src/sqlite.ts'
import { NOW } from '../records.ts'

const [path = '', count = '0'] = process.argv.slice(2)
const events: SqliteEvent[] = []
const database = await openSqlite(path, { onEvent: (event) => events.push(event) })
writeSync(1, 'opened\n')
for (let i = 0; i < Number(count); i++) {
  const outcome = await database.stores.issuer.issued.revoke(`${i}`, NOW, NOW + 720).then(
    () => 'ok',
    (error: unknown) => (isStorageError(error) ? error.code : String(error)),
  )
  writeSync(1, `${i} ${outcome}\n`)
}
for (const event of events) if (event.type === 'fatal') writeSync(1, `fatal ${event.error.code}\n`)
await database.close()
