import { findClient } from './client-auth.ts'
import { newClientKey } from './client-keys.ts'
import type { Context } from './context.ts'
import { IssuerError } from './errors.ts'
import { newClientRecord } from './new-client.ts'
import { pageLimit } from './page.ts'
import type { ClientKey, ClientRecord, ClientSecret, IssuerAuditEvent } from './ports.ts'
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

  async function rotation(
    name: string,
    requested: { readonly overlapSeconds?: number } | undefined,
  ): Promise<{ readonly client: ClientRecord; readonly now: number; readonly endsAt: number }> {
    const overlap = requested?.overlapSeconds ?? context.limits.secretOverlapSeconds
    if (!Number.isInteger(overlap) || overlap < 0 || overlap > 2_592_000) {
      throw new IssuerError('invalid_option', 'overlapSeconds: expected a whole number from 0 to 2,592,000')
    }
    const client = await known(name)
    if (client.disabledAt !== null) throw new IssuerError('already_disabled', 'The client is disabled.')
    const now = context.now()
    return { client, now, endsAt: now + overlap }
  }

  /** The new way first: between the two writes both are good, never neither. */
  async function replace(
    client: ClientRecord,
    { secrets, keys }: Pick<ClientRecord, 'secrets' | 'keys'>,
  ): Promise<void> {
    const setSecrets = (): Promise<boolean> => clients.setSecrets(client.id, secrets)
    const setKeys = (): Promise<boolean> => clients.setKeys(client.id, keys)
    const hadKeys = client.keys.length > 0
    const steps = keys[0]?.expiresAt === null ? [setKeys, setSecrets] : hadKeys ? [setSecrets, setKeys] : [setSecrets]
    for (const step of steps) {
      if (!(await step())) throw new IssuerError('unknown_client', 'There is no client by that name.')
    }
  }

  return {
    async add(wanted) {
      const now = context.now()
      const keys = wanted.publicKey === undefined ? [] : [await newClientKey(wanted.publicKey, now)]
      const secret = wanted.type === 'public' || keys.length > 0 ? null : newClientSecret()
      const secrets = secret === null ? [] : [{ ...stored(secret, now), expiresAt: wanted.secretExpiresAt ?? null }]
      const client = newClientRecord(context, wanted, secrets, keys)
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
      const { client, now, endsAt } = await rotation(name, requested)
      if (client.type === 'public') throw new IssuerError('invalid_option', 'A public client has no secret.')
      const secret = newClientSecret()
      const previous = ending(client.secrets, now, endsAt)
      const secrets = [stored(secret, now), ...previous]
      await record('client.rotate_secret', client.id, requested)
      await replace(client, { secrets, keys: ending(client.keys, now, endsAt) })
      context.emit({ type: 'client_changed', action: 'secret_rotated', clientId: client.id })
      return { client: info({ ...client, secrets }), secret, previousExpiresAt: previous[0]?.expiresAt ?? null }
    },
    async rotateKey(name, publicKey, requested) {
      const { client, now, endsAt } = await rotation(name, requested)
      if (client.type === 'public') throw new IssuerError('invalid_option', 'A public client does not authenticate.')
      const key = await newClientKey(publicKey, now)
      const earlier = client.keys.filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
      if (earlier.some(({ kid, x }) => kid === key.kid || x === key.x)) {
        throw new IssuerError('invalid_option', 'publicKey: the client has this key, or one of this kid, already')
      }
      const previous = ending(client.keys, now, endsAt)
      const secrets = ending(client.secrets, now, endsAt)
      const keys = [key, ...previous]
      await record('client.rotate_key', client.id, requested)
      await replace(client, { secrets, keys })
      context.emit({ type: 'client_changed', action: 'key_rotated', clientId: client.id })
      const previousExpiresAt = previous[0]?.expiresAt ?? secrets[0]?.expiresAt ?? null
      return { client: info({ ...client, secrets, keys }), previousExpiresAt }
    },
  }
}

/** The newest of what was valid before, until `endsAt`; nothing older. Sooner, where it would have ended anyway. */
function ending<T extends ClientSecret | ClientKey>(all: readonly T[], now: number, endsAt: number): readonly T[] {
  const [newest] = all
    .filter(({ expiresAt }) => expiresAt === null || expiresAt > now)
    .sort((one, other) => other.createdAt - one.createdAt || (one.expiresAt === null ? -1 : 1))
  if (newest === undefined || endsAt <= now) return []
  return [{ ...newest, expiresAt: Math.min(newest.expiresAt ?? Infinity, endsAt) }]
}

function stored(secret: string, now: number): ClientSecret {
  return { id: newId(), hash: sha256(secret), createdAt: now, expiresAt: null }
}

function info({ secrets, generation: _, ...client }: ClientRecord): ClientInfo {
  return { ...client, secrets: secrets.map(({ id, createdAt, expiresAt }) => ({ id, createdAt, expiresAt })) }
}
