export { createHs256Verifier, type Hs256Options, type Hs256Verifier } from './hs256-verifier.ts'
export { type Hs256Key, signHs256, signHs256Sync } from './sign-hs256.ts'
