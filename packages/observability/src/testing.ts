export { type Canary, createCanary, type Leak } from './testing/canary.ts'
