import { sealedFile } from '../../src/file.ts'

/** Replaces the ring of a directory again and again, and prints each version once it is acknowledged, until killed. */
const store = sealedFile(process.argv[2] ?? '')
let version = (await store.read('tokens'))?.version ?? 0
for (;;) {
  version += 1
  const done = await store.replace({
    format: 1,
    name: 'tokens',
    purpose: 'token',
    issuer: 'https://auth.example.com',
    algorithm: 'EdDSA',
    version,
    updatedAt: 0,
    keys: [],
  })
  if (!done) throw new Error(`lost version ${version} to nobody`)
  process.stdout.write(`${version}\n`)
}
