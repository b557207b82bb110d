export type { StoreUnderTest, TestRunner } from '@countersign/keys/testing'
export { describeIssuerStores } from './testing/describe-issuer-stores.ts'
export { memoryIssuerStores } from './testing/memory-issuer-stores.ts'
