export { describeCredentialStore, type StoreUnderTest, type TestRunner } from './testing/describe-credential-store.ts'
export { memoryCredentialStore } from './testing/memory-credential-store.ts'
