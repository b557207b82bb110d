import type { ClientInfo, Issuer, UserInfo } from '@countersign/issuer'
import type { Settings } from './config.ts'
import { AuthModuleError } from './errors.ts'

/** The people who may sign in. What is wrong with a name or a password is an IssuerError. */
export interface ModuleUsers<Scope extends string> {
  /**
   * @param scopes the most that a sign-in gets; null: all @default null
   * @throws IssuerError `invalid_name`, `weak_password`, `name_taken`, `invalid_option`
   */
  add(name: string, password: string, options?: { readonly scopes?: readonly Scope[] | null }): Promise<ModuleUser>
  /** By name. */
  list(): Promise<readonly ModuleUser[]>
  /** Ends every session and token of theirs. @throws IssuerError `unknown_user` */
  setPassword(name: string, password: string): Promise<void>
  /** Ends every session and token of theirs. @throws IssuerError `unknown_user`, `invalid_option` */
  setScopes(name: string, scopes: readonly Scope[] | null): Promise<void>
  /** Ends every session and token of theirs, for good. @throws IssuerError `unknown_user`, `already_disabled` */
  disable(name: string): Promise<void>
}

export interface ModuleUser {
  readonly id: string
  readonly name: string
  readonly scopes: readonly string[] | null
  readonly createdAt: number
  readonly disabledAt: number | null
}

/** A client or an API key, without its secret. */
export interface Machine {
  /** `sub` of its tokens. */
  readonly id: string
  readonly name: string
  readonly scopes: readonly string[] | null
  readonly createdAt: number
  /** From then on neither its secret nor a token of it is accepted; null: never. */
  readonly expiresAt: number | null
  readonly revokedAt: number | null
}

export interface NewMachine<Scope extends string> {
  /** @default null: every scope of the module */
  readonly scopes?: readonly Scope[] | null
}

export interface NewApiKey<Scope extends string> extends NewMachine<Scope> {
  /** Unix seconds. @default null: never */
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
const pageSize = 1_000

/** By its form a secret says whether a person typed it: no identifier decides who is asked, so none can be probed. */
export const isMachineSecret = (secret: string): boolean => secret.startsWith(secretPrefix)

/** Every page of a list, in its order. */
async function all<T>(
  page: (after: string | undefined) => Promise<readonly T[]>,
  nameOf: (one: T) => string,
): Promise<readonly T[]> {
  const found: T[] = []
  for (;;) {
    const last = found.at(-1)
    const more = await page(last === undefined ? undefined : nameOf(last))
    found.push(...more)
    if (more.length < pageSize) return found
  }
}

const from = (after: string | undefined) => (after === undefined ? { limit: pageSize } : { after, limit: pageSize })

/** `settled`: resolves when this process knows what was revoked. */
export function createModuleUsers<Scope extends string>(
  { users }: Issuer,
  settled: () => Promise<void>,
): ModuleUsers<Scope> {
  const shown = ({ id, identifier, scopes, createdAt, disabledAt }: UserInfo): ModuleUser => ({
    id,
    name: identifier,
    scopes,
    createdAt,
    disabledAt,
  })
  return {
    async add(name, password, { scopes = null } = {}) {
      if (isMachineSecret(password)) {
        throw new AuthModuleError('name_reserved', `A password does not begin with ${secretPrefix}.`)
      }
      return shown(await users.add({ identifier: name, password, scopes }))
    },
    list: async () =>
      (
        await all(
          (after) => users.list(from(after)),
          ({ identifier }) => identifier,
        )
      ).map(shown),
    async setPassword(name, password) {
      if (isMachineSecret(password)) {
        throw new AuthModuleError('name_reserved', `A password does not begin with ${secretPrefix}.`)
      }
      await users.setPassword(name, password)
      await settled()
    },
    async setScopes(name, scopes) {
      await users.setScopes(name, scopes)
      await settled()
    },
    async disable(name) {
      await users.disable(name)
      await settled()
    },
  }
}

/** The client of an identifier: an id, the name of an API key, or the name of a client. */
export async function machineOf(issuer: Issuer, identifier: string): Promise<string> {
  if (identifier.startsWith(idPrefix)) return identifier
  return (await issuer.clientIdOf(keyPrefix + identifier)) ?? identifier
}

export function createMachines<Scope extends string>(
  kind: 'client' | 'apiKey',
  issuer: Issuer,
  { audience }: Settings,
  settled: () => Promise<void>,
): Machines<NewApiKey<Scope>> {
  const { clients } = issuer
  const prefix = kind === 'apiKey' ? keyPrefix : ''
  const isOne = ({ name, firstParty }: ClientInfo): boolean =>
    !firstParty && name.startsWith(keyPrefix) === (kind === 'apiKey')

  async function refuseTaken(name: string): Promise<void> {
    const other = kind === 'apiKey' ? name : keyPrefix + name
    const reserved = kind === 'client' && (name === audience || name.startsWith(keyPrefix))
    if (reserved || (await issuer.clientIdOf(other)) !== undefined) {
      throw new AuthModuleError('name_reserved', `${JSON.stringify(name)} stands for something else already.`)
    }
  }

  const list = async (): Promise<readonly ClientInfo[]> =>
    (
      await all(
        (after) => clients.list(from(after)),
        ({ name }) => name,
      )
    ).filter(isOne)

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
    list: async () => (await list()).map((client) => machine(client, prefix)),
    async revoke(nameOrId) {
      const isId = nameOrId.startsWith(idPrefix)
      const known = isId ? (await list()).find(({ id }) => id === nameOrId) : undefined
      await clients.disable(isId ? (known?.name ?? ' ') : prefix + nameOrId)
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
