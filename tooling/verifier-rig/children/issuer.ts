// The token service as it comes, in a process of its own; prints its credentials once it answers, ends on standard input's end.
// usage: node issuer.ts DIRECTORY CONFIG

import { startRigService } from '../rig/token-service.ts'

const [directory = '', config = ''] = process.argv.slice(2)
const { service, credentials } = await startRigService(directory, JSON.parse(config))
process.stdout.write(`${JSON.stringify(credentials)}\n`)
process.stdin.resume()
process.stdin.once('end', async () => {
  await service.close()
  process.exit(0)
})
