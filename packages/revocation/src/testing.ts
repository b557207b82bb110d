export { describeAcknowledgementStore } from './testing/describe-acknowledgement-store.ts'
export { describeRevocationLog } from './testing/describe-revocation-log.ts'
export type { StoreUnderTest, TestRunner } from './testing/runner.ts'
export { type FeedFaults, type SimulatedFeed, simulateFeed } from './testing/simulated-feed.ts'
