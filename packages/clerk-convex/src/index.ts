export {
  AuthError,
  type AuthErrorCode,
  type AuthErrorDetails,
  authErrorCodes,
  authErrorRemedies,
  isAuthError,
} from './auth-error.ts'
export { bucket } from './bucket.ts'
export { type ClerkClaims, type ClerkOrganization, parseClerkClaims } from './claims.ts'
export { type DenialReason, type Denied, denialMessages, denialReasons, readDenial, unwrap } from './denial.ts'
