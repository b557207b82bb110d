// Stores credentials, 4 at a time, and prints each name once it is stored, until it is killed.
import { writeSync } from 'node:fs'
import { createAuthModule } from '../../src/index.ts'

const [dataDir = '', secretKey = '', prefix = ''] = process.argv.slice(2)
const auth = await createAuthModule({ dataDir, secretKey })
let next = 0
async function store(): Promise<void> {
  for (;;) {
    const name = `${prefix}-${next++}`
    await auth.storeCredential(name, new TextEncoder().encode(`secret of ${name}`))
    writeSync(1, `${name}\n`)
  }
}
await Promise.all(Array.from({ length: 4 }, store))
