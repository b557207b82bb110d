export type { KeyBackend } from './key-backend.ts'
export {
  type AppRoleOptions,
  appRole,
  type KubernetesOptions,
  kubernetes,
  type SecretText,
  type VaultAuth,
  vaultToken,
} from './vault/vault-auth.ts'
export {
  createVaultClient,
  type VaultClient,
  type VaultClientOptions,
  type VaultRequestOptions,
} from './vault/vault-client.ts'
export type { VaultEvent } from './vault/vault-events.ts'
export type { VaultAnswer, VaultRequest } from './vault/vault-exchange.ts'
export { kekFromVault, type VaultKeyWrapperOptions, vaultKeyWrapper } from './vault/vault-key-wrapper.ts'
export { type VaultKvOptions, vaultKv } from './vault/vault-kv.ts'
export { type VaultTransitOptions, vaultTransit } from './vault/vault-transit.ts'
