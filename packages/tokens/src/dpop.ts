export { type CheckDpopProofOptions, type CheckedProof, checkDpopProof } from './dpop/check-dpop-proof.ts'
export { createDpopProof, type DpopProofOptions } from './dpop/create-dpop-proof.ts'
export {
  type DpopKey,
  type DpopPrivateJwk,
  type DpopPublicJwk,
  generateDpopKey,
  importDpopKey,
} from './dpop/dpop-key.ts'
export {
  isProofRejection,
  ProofRejected,
  type ProofRejectionCode,
  proofRejectionCodes,
  proofRemedies,
} from './dpop/proof-rejection.ts'
export { type MemoryUsedProofsOptions, memoryUsedProofs, type UsedProofs } from './dpop/used-proofs.ts'
