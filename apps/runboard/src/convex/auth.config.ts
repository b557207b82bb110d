import { assertNoOverlap, clerkProvider } from '@countersign/clerk-convex/auth-config'
import { environment } from '../environment.ts'

const { clerkIssuer: issuer, clerkJwks: keys } = environment

// Not here: the issuer of runner tokens. A query sees claims and no proof, so a stolen one would do.
export default assertNoOverlap({
  providers: [clerkProvider({ issuer, ...(keys === undefined ? {} : { jwks: JSON.parse(keys) }) })],
})
