export { type CheckOptions, checkConsumers, type Finding, type FindingCode } from './check-consumers.ts'
export {
  type AudienceOf,
  type CheckedInput,
  type ConsumerInput,
  type DefinedConsumers,
  defineConsumers,
  type EdgeInput,
  type ReservedName,
  type ScopeName,
  type ScopeOf,
} from './define-consumers.ts'
export {
  ConsumersError,
  type ConsumersErrorCode,
  consumersErrorCodes,
  consumersRemedies,
  isConsumersError,
} from './errors.ts'
export { parseConsumers } from './parse-consumers.ts'
export { renderMatrix } from './render-matrix.ts'
export type { Consumer, ConsumerMatrix, ExchangeEdge, ObtainedBy, ScopeProperties } from './types.ts'
