import { readFile } from 'node:fs/promises'
import { KeysError } from '../keys-error.ts'
import { checkVaultPath } from './vault-address.ts'
import type { VaultRequest } from './vault-exchange.ts'

/** How a process shows Vault who it is. Made by {@link appRole}, {@link kubernetes} and {@link vaultToken}. */
export type VaultAuth =
  | { readonly kind: 'login'; readonly request: () => Promise<VaultRequest> }
  | { readonly kind: 'token'; readonly token: () => Promise<string> }

/** A secret, or what fetches it anew for each login. */
export type SecretText = string | (() => string | Promise<string>)

async function textOf(secret: SecretText, what: string): Promise<string> {
  let text: unknown
  try {
    text = typeof secret === 'function' ? await secret() : secret
  } catch (error) {
    throw new KeysError('vault_misconfigured', `${what} cannot be read`, { cause: error })
  }
  if (typeof text !== 'string' || text.length > 16_384 || !/^[!-~]+$/.test(text.trim())) {
    throw new KeysError('vault_misconfigured', `${what} is empty, too long, or not printable on one line`)
  }
  return text.trim()
}

export interface AppRoleOptions {
  readonly roleId: string
  readonly secretId: SecretText
  /** @default 'approle' */
  readonly mount?: string
}

export function appRole({ roleId, secretId, mount = 'approle' }: AppRoleOptions): VaultAuth {
  checkVaultPath(mount, 'mount')
  return {
    kind: 'login',
    request: async () => ({
      method: 'POST',
      path: `auth/${mount}/login`,
      body: { role_id: await textOf(roleId, 'roleId'), secret_id: await textOf(secretId, 'secretId') },
    }),
  }
}

export interface KubernetesOptions {
  readonly role: string
  /** The service account's token; read anew for each login, since the kubelet replaces it. @default where the kubelet puts it */
  readonly jwtFile?: string
  /** @default 'kubernetes' */
  readonly mount?: string
}

export function kubernetes({
  role,
  jwtFile = '/var/run/secrets/kubernetes.io/serviceaccount/token',
  mount = 'kubernetes',
}: KubernetesOptions): VaultAuth {
  checkVaultPath(mount, 'mount')
  return {
    kind: 'login',
    request: async () => ({
      method: 'POST',
      path: `auth/${mount}/login`,
      body: { role, jwt: await textOf(() => readFile(jwtFile, 'utf8'), jwtFile) },
    }),
  }
}

/** A token that somebody else got: renewed, but never replaced unless `token` is a function that returns another. */
export function vaultToken(token: SecretText): VaultAuth {
  return { kind: 'token', token: () => textOf(token, 'the token') }
}
