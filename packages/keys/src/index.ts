export type { Blackout, Weekday } from './blackouts/blackout.ts'
export { createKeyRing, type KeyRingOptions } from './create-key-ring.ts'
export type { KeyRecord, KeyRingDocument, KeyState } from './document.ts'
export { parseKeyRingDocument } from './document-schema.ts'
export type { KeyRingEvent } from './events.ts'
export { type JwksProbeOptions, publicJwksProbe } from './jwks-probe.ts'
export type { BackendKey, KeyBackend } from './key-backend.ts'
export type {
  ActivateOptions,
  KeyRing,
  KeyRingStatus,
  KeyStatus,
  PublishedJwks,
  Requested,
  RevokeOptions,
  RevokeOutcome,
  RewrapOutcome,
  RotateOptions,
  RotateOutcome,
  TokenRequest,
} from './key-ring.ts'
export { isKeysError, KeysError, type KeysErrorCode, keysErrorCodes, remedies } from './keys-error.ts'
export {
  demoPolicy,
  type KeyPolicy,
  type ReaderOptions,
  type ResolvedKeyPolicy,
  readerOptions,
  resolvePolicy,
} from './policy.ts'
export type { AuditActor, KeyAudit, KeyAuditEvent, KeyConfirmations, KeyRingStore } from './ports.ts'
export type { AgeLevel } from './schedule.ts'
