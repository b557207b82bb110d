export { type AuthConfigShape, assertNoOverlap } from './assert-no-overlap.ts'
export type { PublicKeySet, RsaOrEcKey } from './key-set.ts'
export {
  type ClerkProviderOptions,
  type CustomJwtProvider,
  clerkProvider,
  type LegacyProviderOptions,
  legacyProvider,
  type OidcProvider,
} from './providers.ts'
