export { describeAcknowledgementStore } from './testing/describe-acknowledgement-store.ts'
export { describeRevocationLog } from './testing/describe-revocation-log.ts'
export type { StoreUnderTest, TestRunner } from './testing/runner.ts'
