export type { KekSource, KeyEncryptionKey } from './kek.ts'
export { type CredentialOptions, kekFromCredential } from './kek-credential.ts'
export { createKekFile, type KekFileOptions, kekFromFile } from './kek-file.ts'
export { type KekValueOptions, kekFromValue, type SealingEvent } from './kek-value.ts'
export { type KeyWrapper, kekFromWrapper } from './kek-wrapper.ts'
export { keks } from './keks.ts'
export {
  createPrivateFile,
  ensurePrivateDirectory,
  type ReadLimits,
  readPrivateFile,
  writePrivateFile,
} from './private-file.ts'
export { maxPlaintextBytes, open, reseal, type SealOptions, seal, sealedWith } from './seal.ts'
export {
  isSealingError,
  remedies,
  SealingError,
  type SealingErrorCode,
  sealingErrorCodes,
} from './sealing-error.ts'
