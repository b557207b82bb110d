import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createDataDir, type RunningTokenService, resolveConfig, startTokenService } from '@countersign/server'
import { consumers } from '@countersign-apps/token-service/consumers'

export const webhookSecret = `whsec_${Buffer.alloc(24, 9).toString('base64')}`
export const providerKey = 'provider-key'
const password = 'correct horse battery'

export interface Account {
  readonly id: string
  readonly secret: string
}

/** A real token service on loopback, with a customer and the fleet's accounts. */
export interface TestFleet {
  readonly folder: string
  readonly issuer: string
  readonly service: RunningTokenService
  readonly agentApi: Account
  readonly worker: Account
  /** A new token of the customer's for agent-api. */
  signIn(): Promise<string>
  close(): Promise<void>
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

export async function startTestFleet(): Promise<TestFleet> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-billing-'))
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const config = await resolveConfig(
    { issuer, port, consumers, metrics: false, log: { level: 'silent' } },
    { baseDir: folder, env: {} },
  )
  await createDataDir(config)
  const service = await startTokenService(config)
  await service.issuer.users.add({ identifier: 'ada', password })
  const { clients } = service.issuer
  await clients.add({ name: 'web', type: 'public', grants: ['sign_in'], audiences: ['agent-api'] })
  const account = async (name: string, grant: 'client_credentials' | 'token_exchange'): Promise<Account> => {
    const { client, secret } = await clients.add({ name, grants: [grant], audiences: ['billing-worker'] })
    return { id: client.id, secret: secret ?? '' }
  }
  return {
    folder,
    issuer,
    service,
    agentApi: await account('agent-api', 'token_exchange'),
    worker: await account('billing-worker', 'client_credentials'),
    async signIn() {
      const response = await fetch(`${issuer}/auth/sign-in`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ identifier: 'ada', secret: password, client_id: 'web', audience: 'agent-api' }),
      })
      return ((await response.json()) as { access_token: string }).access_token
    },
    async close() {
      await service.close()
      await rm(folder, { recursive: true })
    },
  }
}
