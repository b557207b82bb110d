// Ours as `countersign serve` runs it: a durable row a token, audit log, metrics; log lines from warn up.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createDataDir, resolveConfig, startTokenService } from '@countersign/server'
import { ready } from './ready.mjs'

/** Where what is measured rests: on a disk, where a sync means something. */
export const room = process.env.BENCH_DIR ?? '/var/tmp'

/** The issuer's URL is part of every token, so the port has to be known first. */
function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address())
      probe.close(() => resolve(port))
    })
  })
}

/** @param {{ database?: string, close?: () => Promise<void> }} [store] the database's URL, and how it ends; absent: SQLite */
export async function serve({ database, close = async () => {} } = {}) {
  const folder = mkdtempSync(join(room, 'bench-'))
  const port = await freePort()
  const config = await resolveConfig(
    {
      issuer: `http://127.0.0.1:${port}`,
      port,
      dataDir: folder,
      ...(database === undefined ? {} : { database }),
      metrics: { port: 0 },
      log: { level: 'warn' },
      consumers: {
        'agent-api': { scopes: ['agents:read'], obtainedBy: 'client-credentials', accessTokenLifeSeconds: 600 },
      },
    },
    { baseDir: folder },
  )
  await createDataDir(config)
  const service = await startTokenService(config)
  const { client, secret } = await service.issuer.clients.add({
    name: 'bench',
    grants: ['client_credentials'],
    audiences: ['agent-api'],
  })
  ready(
    {
      close: async () => {
        await service.close()
        await close()
        rmSync(folder, { recursive: true })
      },
    },
    { url: `${service.url}/oauth/token`, client_id: client.id, client_secret: secret ?? '', audience: 'agent-api' },
  )
}
