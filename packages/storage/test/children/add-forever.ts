// Adds issued tokens, 16 at a time, and prints each id after its answer, until it is killed.
import { writeSync } from 'node:fs'
import { openSqlite } from '../../src/sqlite.ts'
import { issued } from '../records.ts'

const [path = '', prefix = ''] = process.argv.slice(2)
const database = await openSqlite(path)
let next = 0
async function add(): Promise<void> {
  for (;;) {
    const jti = `${prefix}-${next++}`
    await database.stores.issuer.issued.add(issued(jti))
    writeSync(1, `${jti}\n`)
  }
}
await Promise.all(Array.from({ length: 16 }, add))
