// Brings everything under the second key-encryption key while it stores credentials, 4 at a time, and prints the name of
// each once it is stored, until it is killed.
import { writeSync } from 'node:fs'
import { kekFromFile, keks } from '@countersign/sealing'
import { createAuthModule } from '../../src/index.ts'

const [dataDir = '', oldKek = '', newKek = '', prefix = ''] = process.argv.slice(2)
const auth = await createAuthModule({ dataDir, kek: keks(kekFromFile(newKek), kekFromFile(oldKek)) })
let next = 0
async function store(): Promise<void> {
  for (;;) {
    const name = `${prefix}-${next++}`
    await auth.storeCredential(name, new TextEncoder().encode(`secret of ${name}`))
    writeSync(1, `${name}\n`)
  }
}
await Promise.all([auth.rewrap(), ...Array.from({ length: 4 }, store)])
