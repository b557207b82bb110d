import { allPages, type Issuer, type UserInfo } from '@countersign/issuer'
import { AuthModuleError } from './errors.ts'
import { isMachineSecret } from './machines.ts'

/** The people who may sign in. What is wrong with a name or a password is an IssuerError. */
export interface ModuleUsers<Scope extends string> {
  /**
   * @param scopes the most that a sign-in gets; null: all @default null
   * @throws IssuerError `invalid_name`, `weak_password`, `name_taken`, `invalid_option`; AuthModuleError `name_reserved`
   * for a password that has the form of a machine's secret
   */
  add(name: string, password: string, options?: { readonly scopes?: readonly Scope[] | null }): Promise<ModuleUser>
  /** By name. */
  list(): Promise<readonly ModuleUser[]>
  /** Ends every session and token of theirs. @throws IssuerError `unknown_user`, and what `add` says of a password */
  setPassword(name: string, password: string): Promise<void>
  /** Ends every session and token of theirs. @throws IssuerError `unknown_user`, `invalid_option` */
  setScopes(name: string, scopes: readonly Scope[] | null): Promise<void>
  /** Ends every session and token of theirs, for good. @throws IssuerError `unknown_user`, `already_disabled` */
  disable(name: string): Promise<void>
}

export interface ModuleUser {
  /** `sub` of their tokens. */
  readonly id: string
  readonly name: string
  /** The most that a sign-in gets; null: all. */
  readonly scopes: readonly string[] | null
  /** Unix seconds. */
  readonly createdAt: number
  /** Unix seconds. */
  readonly disabledAt: number | null
}

/** `settled`: resolves when this process knows what was revoked. */
export function createModuleUsers<Scope extends string>(
  { users }: Issuer,
  settled: () => Promise<void>,
): ModuleUsers<Scope> {
  return {
    async add(name, password, { scopes = null } = {}) {
      refuseMachineSecret(password)
      return moduleUser(await users.add({ identifier: name, password, scopes }))
    },
    async list() {
      const all = await allPages(users.list, ({ identifier }) => identifier)
      return all.map(moduleUser)
    },
    async setPassword(name, password) {
      refuseMachineSecret(password)
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

function moduleUser({ id, identifier, scopes, createdAt, disabledAt }: UserInfo): ModuleUser {
  return { id, name: identifier, scopes, createdAt, disabledAt }
}

/** Nobody could sign in with it: only machines are asked then. */
function refuseMachineSecret(password: string): void {
  if (!isMachineSecret(password)) return
  throw new AuthModuleError('name_reserved', 'A password does not begin as the secrets of machines do.')
}
