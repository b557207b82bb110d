import { findClient } from './client-auth.ts'
import type { Context } from './context.ts'
import { IssuerError } from './errors.ts'
import { newClientRecord } from './new-client.ts'
import { pageLimit } from './page.ts'
import type { ClientRecord, ClientSecret, IssuerAuditEvent } from './ports.ts'
import { newClientSecret, newId, sha256 } from './random.ts'
import { revoking } from './revoking.ts'
import type { ClientInfo, Clients, Requested } from './types.ts'

export function createClients(context: Context): Clients {
  const { clients } = context.stores

  async function known(name: string): Promise<ClientRecord> {
    const client = await findClient(context, name)
    if (client === undefined) throw new IssuerError('unknown_client', 'There is no client by that name.')
    return client
  }

  function record(action: IssuerAuditEvent['action'], id: string, requested: Requested | undefined): Promise<void> {
    return context.audit({
      action,
      outcome: 'allowed',
      actor: requested?.actor ?? { type: 'operator' },
      target: { type: 'client', id },
    })
  }

  return {
    async add(wanted) {
      const secret = wanted.type === 'public' ? null : newClientSecret()
      const now = context.now()
      const secrets = secret === null ? [] : [stored(secret, now)]
      const client = newClientRecord(context, wanted, secrets)
      const taken = new IssuerError('name_taken', 'A client by that name exists.')
      if ((await clients.byName(client.name)) !== undefined) throw taken
      await record('client.add', client.id, wanted)
      if (!(await clients.add(client))) throw taken
      context.emit({ type: 'client_changed', action: 'added', clientId: client.id })
      return { client: info(client), secret }
    },
    async list(page = {}) {
      const limit = pageLimit(page.limit)
      return (await clients.list(page.after === undefined ? { limit } : { after: page.after, limit })).map(info)
    },
    async disable(name, requested) {
      const client = await known(name)
      const before = new IssuerError('already_disabled', 'The client is disabled already.')
      if (client.disabledAt !== null) throw before
      if (!(await revoking(context, { type: 'client', client }, requested?.actor ?? { type: 'operator' }))) throw before
    },
    async rotateSecret(name, requested) {
      const overlap = requested?.overlapSeconds ?? context.limits.secretOverlapSeconds
      if (!Number.isInteger(overlap) || overlap < 0 || overlap > 2_592_000) {
        throw new IssuerError('invalid_option', 'overlapSeconds: expected a whole number from 0 to 2,592,000')
      }
      const client = await known(name)
      if (client.type === 'public') throw new IssuerError('invalid_option', 'A public client has no secret.')
      if (client.disabledAt !== null) throw new IssuerError('already_disabled', 'The client is disabled.')
      const now = context.now()
      const secret = newClientSecret()
      const [newest] = client.secrets
        .filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
        .sort((one, other) => other.createdAt - one.createdAt || (one.expiresAt === null ? -1 : 1))
      const previousExpiresAt =
        newest === undefined || overlap === 0 ? null : Math.min(newest.expiresAt ?? Infinity, now + overlap)
      const previous =
        newest === undefined || previousExpiresAt === null ? [] : [{ ...newest, expiresAt: previousExpiresAt }]
      const secrets = [stored(secret, now), ...previous]
      await record('client.rotate_secret', client.id, requested)
      if (!(await clients.setSecrets(client.id, secrets))) {
        throw new IssuerError('unknown_client', 'There is no client by that name.')
      }
      context.emit({ type: 'client_changed', action: 'secret_rotated', clientId: client.id })
      return { client: info({ ...client, secrets }), secret, previousExpiresAt }
    },
  }
}

function stored(secret: string, now: number): ClientSecret {
  return { id: newId(), hash: sha256(secret), createdAt: now, expiresAt: null }
}

function info({ secrets, generation: _, ...client }: ClientRecord): ClientInfo {
  return { ...client, secrets: secrets.map(({ id, createdAt, expiresAt }) => ({ id, createdAt, expiresAt })) }
}
