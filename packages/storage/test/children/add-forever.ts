// Adds issued tokens, 16 at a time, and prints each id after its answer, until it is killed.
import { openSqlite } from '../../src/sqlite.ts'
import { issued } from '../records.ts'

const [path = '', prefix = ''] = process.argv.slice(2)
const database = await openSqlite(path)
let next = 0
async function add(): Promise<void> {
  for (;;) {
    const jti = `${prefix}-${next++}`
    await database.stores.issuer.issued.add(issued(jti))
    // Not writeSync: that fails once nobody has read for a while.
    await new Promise((resolve) => process.stdout.write(`${jti}\n`, resolve))
  }
}
await Promise.all(Array.from({ length: 16 }, add))
