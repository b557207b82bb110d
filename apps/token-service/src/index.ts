export { type ClerkSettings, clerkSettings, clerkSubjectsOf } from './clerk.ts'
export { consumers } from './consumers.ts'
export { configFile, type StartOptions, startFleetTokenService } from './start.ts'
