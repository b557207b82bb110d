export {
  type AppRole,
  type KubernetesRole,
  type RecordedRequest,
  type Switches,
  startVaultStandIn,
  type VaultStandIn,
  type VaultStandInOptions,
} from './start-vault-stand-in.ts'
export type { Capability, Policy, TokenTerms } from './token-table.ts'
