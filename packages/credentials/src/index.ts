export {
  CredentialsError,
  type CredentialsErrorCode,
  credentialsErrorCodes,
  credentialsRemedies,
  isCredentialsError,
} from './errors.ts'
export { type ReadFernetOptions, readFernet } from './fernet.ts'
export {
  type Credentials,
  type CredentialsOptions,
  maxSecretBytes,
  type OwnedCredentials,
  openCredentials,
} from './open-credentials.ts'
export { checkName } from './place.ts'
export type { CredentialEntry, CredentialPlace, CredentialRecord, CredentialStore } from './ports.ts'
export type { RewrapOptions, RewrapOutcome } from './rewrap.ts'
