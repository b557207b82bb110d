export { describeKeyRingStore, type StoreUnderTest, type TestRunner } from './testing/describe-key-ring-store.ts'
export { memoryKeyRingStore } from './testing/memory-key-ring-store.ts'
