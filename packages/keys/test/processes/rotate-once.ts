import { kekFromFile } from '@countersign/sealing'
import { sealedFile } from '../../src/file.ts'
import { createKeyRing } from '../../src/index.ts'

/** Opens the ring of a directory, waits for the starting shot on standard input, rotates, and prints what came of it. */
const [directory = '', kekFile = ''] = process.argv.slice(2)
const ring = await createKeyRing({
  store: sealedFile(directory),
  kek: kekFromFile(kekFile),
  issuer: 'https://auth.example.com',
  policy: { accessTokenLifeSeconds: 600 },
  scheduler: false,
})
process.stdout.write('ready\n')
await new Promise((resolve) => process.stdin.once('data', resolve))
const outcome = await ring.rotate()
process.stdout.write(`${JSON.stringify({ outcome, activeKid: ring.status().activeKid })}\n`)
await ring.close()
process.exit(0)
