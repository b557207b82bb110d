import { allPages, type ClientInfo, type Issuer, IssuerError } from '@countersign/issuer'
import type { Settings } from './config.ts'
import { AuthModuleError } from './errors.ts'

/** A client or an API key, without its secret. */
export interface Machine {
  /** `sub` of its tokens. */
  readonly id: string
  readonly name: string
  /** What its tokens have; null: every scope of the module. */
  readonly scopes: readonly string[] | null
  /** Unix seconds. */
  readonly createdAt: number
  /** Unix seconds from which neither its secret nor a token of it is accepted; null: never. */
  readonly expiresAt: number | null
  /** Unix seconds. */
  readonly revokedAt: number | null
}

export interface NewMachine<Scope extends string> {
  /** @default null: every scope of the module */
  readonly scopes?: readonly Scope[] | null
}

export interface NewApiKey<Scope extends string> extends NewMachine<Scope> {
  /** Unix seconds, until the year 9999. @default null: never */
  readonly expiresAt?: number | null
}

export interface Machines<New> {
  /**
   * 256 random bits, shown here and never again: only their hash is kept.
   * @throws IssuerError `invalid_name`, `invalid_option`, `name_taken`; AuthModuleError `name_reserved`
   */
  create(name: string, options?: New): Promise<Machine & { readonly secret: string }>
  /** By name; the revoked ones too. */
  list(): Promise<readonly Machine[]>
  /** By name or id. Its tokens end at once; its name stays taken. @throws IssuerError `unknown_client`, `already_disabled` */
  revoke(nameOrId: string): Promise<void>
}

/** API keys are clients under names that begin so. */
const keyPrefix = 'key.'
const idPrefix = 'client_'
const secretPrefix = 'cs_secret_'

/** By its form a secret says whether a person typed it: no identifier decides who is asked, so none can be probed. */
export const isMachineSecret = (secret: string): boolean => secret.startsWith(secretPrefix)

/** The client of an identifier: an id, the name of an API key, or the name of a client. */
export async function machineOf(issuer: Issuer, identifier: string): Promise<string> {
  if (identifier.startsWith(idPrefix)) return identifier
  return (await issuer.clientIdOf(keyPrefix + identifier)) ?? identifier
}

/** `settled`: resolves when this process knows what was revoked. */
export function createMachines<Scope extends string>(
  kind: 'client' | 'apiKey',
  issuer: Issuer,
  { audience }: Settings,
  settled: () => Promise<void>,
): Machines<NewApiKey<Scope>> {
  const { clients } = issuer
  const prefix = kind === 'apiKey' ? keyPrefix : ''

  async function refuseTaken(name: string): Promise<void> {
    const other = kind === 'apiKey' ? name : keyPrefix + name
    const reserved = kind === 'client' && (name === audience || name.startsWith(keyPrefix))
    if (reserved || (await issuer.clientIdOf(other)) !== undefined) {
      throw new AuthModuleError('name_reserved', `${JSON.stringify(name)} stands for something else already.`)
    }
  }

  /** Neither the others nor the client that people sign in through. */
  async function ownClients(): Promise<readonly ClientInfo[]> {
    const all = await allPages(clients.list, ({ name }) => name)
    return all.filter(({ name, firstParty }) => !firstParty && name.startsWith(keyPrefix) === (kind === 'apiKey'))
  }

  return {
    async create(name, { scopes = null, expiresAt = null } = {}) {
      await refuseTaken(name)
      const { client, secret } = await clients.add({
        name: prefix + name,
        grants: ['client_credentials'],
        audiences: [audience],
        scopes,
        secretExpiresAt: expiresAt,
      })
      if (secret === null) throw new Error('a confidential client was made without a secret')
      return { ...machine(client, prefix), secret }
    },
    async list() {
      return (await ownClients()).map((client) => machine(client, prefix))
    },
    async revoke(nameOrId) {
      const found = (await ownClients()).find(({ id, name }) => id === nameOrId || name === prefix + nameOrId)
      if (found === undefined) throw new IssuerError('unknown_client', 'There is none by that name or id.')
      await clients.disable(found.name)
      await settled()
    },
  }
}

function machine({ id, name, scopes, createdAt, secrets, disabledAt }: ClientInfo, prefix: string): Machine {
  return {
    id,
    name: name.slice(prefix.length),
    scopes,
    createdAt,
    expiresAt: secrets[0]?.expiresAt ?? null,
    revokedAt: disabledAt,
  }
}
