export type { AccessTokenClaims, ActClaim } from './claims.ts'
export { type Clock, systemClock } from './clock.ts'
export { createVerifier, type TokenVerifier } from './create-verifier.ts'
export type { Ed25519Engine, SignatureKey } from './engine-contract.ts'
export { type Explanation, explain, explainRejection } from './explain.ts'
export { importPublicJwk } from './import-public-jwk.ts'
export { allowInsecureIssuer } from './insecure.ts'
export type { Algorithm, KeySource, PublicJwk, TokenSigner } from './key-source.ts'
export type { Actor, Principal, Verifier } from './principal.ts'
export { type Profile, rfc9068 } from './profile.ts'
export { auth0 } from './profiles/auth0.ts'
export { betterAuth } from './profiles/better-auth.ts'
export { clerk } from './profiles/clerk.ts'
export { keycloak } from './profiles/keycloak.ts'
export { oidcProvider } from './profiles/oidc-provider.ts'
export {
  isRejection,
  type RejectionCode,
  type RejectionDetails,
  rejectionCodes,
  remedies,
  TokenRejected,
} from './rejection.ts'
export { formatScope, parseScope } from './scope.ts'
export { signAccessToken, signAccessTokenSync } from './sign-access-token.ts'
export { staticKeys } from './static-keys.ts'
export { jwkThumbprint } from './thumbprint.ts'
export {
  isTokensError,
  TokensError,
  type TokensErrorCode,
  tokensErrorCodes,
  tokensErrorRemedies,
} from './tokens-error.ts'
export type { VerifiedTokenCacheOptions, VerifierOptions } from './verifier-options.ts'
