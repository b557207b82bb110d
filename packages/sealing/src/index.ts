export type { KekSource, KeyEncryptionKey } from './kek.ts'
export { createKekFile, type KekFileOptions, kekFromFile } from './kek-file.ts'
export {
  createPrivateFile,
  ensurePrivateDirectory,
  type ReadLimits,
  readPrivateFile,
  writePrivateFile,
} from './private-file.ts'
export { maxPlaintextBytes, open, type SealOptions, seal, sealedWith } from './seal.ts'
export {
  isSealingError,
  remedies,
  SealingError,
  type SealingErrorCode,
  sealingErrorCodes,
} from './sealing-error.ts'
