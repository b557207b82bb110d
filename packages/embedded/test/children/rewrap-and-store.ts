// Brings everything under the second key-encryption key while 4 writers store credentials, over their own earlier ones
// too. Prints each name and its count once it is stored, and is killed as soon as it has printed so many: by itself, since
// somebody else would come too late on a busy machine.
import { kekFromFile, keks } from '@countersign/sealing'
import { createAuthModule } from '../../src/index.ts'

const [dataDir = '', oldKek = '', newKek = '', prefix = '', lines = '1'] = process.argv.slice(2)
let left = Number(lines)
const auth = await createAuthModule({ dataDir, kek: keks(kekFromFile(newKek), kekFromFile(oldKek)) })
async function store(_: unknown, writer: number): Promise<void> {
  for (let count = 0; ; count += 1) {
    const name = `${prefix}-${writer}-${count % 10}`
    await auth.storeCredential(name, new TextEncoder().encode(`${count} of ${name}`))
    left -= 1
    const isLast = left === 0
    // Not writeSync: that fails once nobody has read for a while.
    await new Promise((resolve) => process.stdout.write(`${name} ${count}\n`, resolve))
    if (isLast) process.kill(process.pid, 'SIGKILL')
  }
}
await Promise.all([auth.rewrap(), ...Array.from({ length: 4 }, store)])
