// Stores one token, and says so; what is still open must not keep the process alive.
import { openPostgres } from '../../src/postgres.ts'
import { patient } from '../postgres/patient.ts'
import { issued } from '../records.ts'

const [url = '', schema = ''] = process.argv.slice(2)
const database = await openPostgres(url, { ...patient, schema })
database.onChange(() => {})
database.stores.issuer.issued.add(issued('last')).then(() => process.stdout.write('answered\n'))
