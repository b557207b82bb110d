// The consumers with their verifiers as they come, in a process of their own; prints where they listen.
// usage: node verifiers.ts ISSUER HTTPS_ORIGIN

import { startVerifiers } from '../rig/verifiers.ts'

const [issuer = '', httpsOrigin = ''] = process.argv.slice(2)
const verifiers = await startVerifiers({ issuer, httpsOrigin, audience: 'agent-api' })
process.stdout.write(`${JSON.stringify({ url: verifiers.url })}\n`)
process.stdin.resume()
process.stdin.once('end', async () => {
  await verifiers.close()
  process.exit(0)
})
