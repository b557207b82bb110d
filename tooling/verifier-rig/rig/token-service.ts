import { join } from 'node:path'
import {
  createDataDir,
  type ResolvedConfig,
  type RunningTokenService,
  resolveConfig,
  startTokenService,
} from '@countersign/server'
import type { Clock } from '@countersign/tokens'
import { findFreePort } from './free-port.ts'

export const audience = 'agent-api'
export const lifeSeconds = 600

export const configFile = (directory: string): string => join(directory, 'countersign.config.json')

/** What stands in the configuration file of the rig's issuer: the standard policy. */
export async function makeConfig(): Promise<object> {
  const port = await findFreePort()
  return {
    issuer: `http://127.0.0.1:${port}`,
    port,
    metrics: false,
    log: { level: 'error' },
    consumers: {
      [audience]: { scopes: ['agents:read'], obtainedBy: 'client-credentials', accessTokenLifeSeconds: lifeSeconds },
    },
  }
}

export interface RigService {
  readonly service: RunningTokenService
  readonly config: ResolvedConfig
  readonly credentials: { readonly id: string; readonly secret: string }
}

export async function startRigService(directory: string, input: object, clock?: Clock): Promise<RigService> {
  const config = await resolveConfig(input, { baseDir: directory })
  await createDataDir(config)
  // Standard output is for the result.
  const logDestination = process.stderr
  const service = await startTokenService(config, { logDestination, ...(clock === undefined ? {} : { clock }) })
  const { client, secret } = await service.issuer.clients.add({
    name: 'rig',
    grants: ['client_credentials'],
    audiences: [audience],
  })
  return { service, config, credentials: { id: client.id, secret: secret ?? '' } }
}
