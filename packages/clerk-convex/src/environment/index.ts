export { type AuthConfigShape, assertNoOverlap } from '../auth-config/assert-no-overlap.ts'
export {
  assertClerkEnvironment,
  type ClerkEnvironment,
  checkClerkEnvironment,
  type EnvironmentProblem,
} from '../server/environment.ts'
