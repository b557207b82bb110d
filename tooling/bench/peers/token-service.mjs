// The token service as `countersign serve` runs it, for benchmarks that need people or clients of it: SQLite, audit log,
// metrics. First line: where it is, and what to sign in with.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createDataDir, resolveConfig, startTokenService } from '@countersign/server'

const password = 'correct horse battery staple'

/** The issuer's URL is part of every token, so the port has to be known first. */
function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address())
      probe.close(() => resolve(port))
    })
  })
}

const folder = mkdtempSync(join(process.env.BENCH_DIR ?? '/var/tmp', 'bench-'))
const port = await freePort()
const config = await resolveConfig(
  {
    issuer: `http://127.0.0.1:${port}`,
    port,
    dataDir: folder,
    metrics: { port: 0 },
    log: { level: 'warn' },
    consumers: {
      'agent-api': {
        scopes: ['agents:read'],
        obtainedBy: ['sign-in', 'client-credentials'],
        accessTokenLifeSeconds: 600,
        refresh: 'body',
      },
      ledger: { scopes: ['agents:read'], obtainedBy: 'exchange', accessTokenLifeSeconds: 600 },
      edges: [{ from: 'agent-api', to: 'ledger', scopes: ['agents:read'] }],
    },
  },
  { baseDir: folder },
)
await createDataDir(config)
const service = await startTokenService(config)
await service.issuer.feed?.started
await service.issuer.users.add({ identifier: 'ada', password })
const web = await service.issuer.clients.add({
  name: 'web',
  type: 'public',
  grants: ['sign_in', 'refresh_token'],
  audiences: ['agent-api'],
})
const machine = await service.issuer.clients.add({
  name: 'machine',
  grants: ['client_credentials'],
  audiences: ['agent-api'],
})
/** A service exchanges the tokens that are sent to it: the client is named like its audience. */
const api = await service.issuer.clients.add({
  name: 'agent-api',
  grants: ['client_credentials', 'token_exchange'],
  audiences: ['agent-api', 'ledger'],
})
process.once('SIGTERM', () => {
  void service.close().finally(() => {
    rmSync(folder, { recursive: true })
    process.exit(0)
  })
})
const told = {
  url: service.url,
  signIn: { identifier: 'ada', secret: password, client_id: web.client.id },
  webId: web.client.id,
  machine: { client_id: machine.client.id, client_secret: machine.secret ?? '' },
  api: { client_id: api.client.id, client_secret: api.secret ?? '' },
  pid: process.pid,
}
process.stdout.write(`${JSON.stringify(told)}\n`)
