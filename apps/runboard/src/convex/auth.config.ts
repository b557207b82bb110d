import { assertNoOverlap, clerkProvider } from '@countersign/clerk-convex/auth-config'
import { environment } from '../environment.ts'

const { clerkIssuer: issuer, clerkJwks } = environment
const jwks = clerkJwks === 'discover' ? clerkJwks : JSON.parse(clerkJwks)

// Not here: the issuer of runner tokens. A query sees claims and no proof, so a stolen one would do.
export default assertNoOverlap({ providers: [clerkProvider({ issuer, jwks })] })
