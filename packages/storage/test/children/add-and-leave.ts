// Starts a write, and leaves it to the event loop: neither waits for it nor closes the database.
import { writeSync } from 'node:fs'
import { openSqlite } from '../../src/sqlite.ts'
import { issued } from '../records.ts'

const [path = ''] = process.argv.slice(2)
const database = await openSqlite(path)
database.onChange(() => {})
void database.stores.issuer.issued.add(issued('last')).then(() => writeSync(1, 'answered\n'))
