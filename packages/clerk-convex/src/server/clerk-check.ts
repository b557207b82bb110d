import { verifyJwt } from '@clerk/backend/jwt'
import { type Clock, type PublicJwk, TokenRejected } from '@countersign/tokens'
import { decodeProtectedHeader } from 'jose'

/** The classes of JWT that one instance signs with one key, as `cat` of the header names them. */
const categories = {
  session: 'cl_B7d4PD111AAA',
  template: 'cl_B7d4PD222AAA',
  machine: 'cl_B7d4PD333AAA',
  /** Of instances that do not tell: says nothing. */
  untold: 'cl_I7d4PD111III',
} as const

export type TokenCategory = Exclude<keyof typeof categories, 'untold'>

export interface ClerkRules {
  readonly issuer: string
  readonly audience?: string
  readonly authorizedParties?: readonly string[]
  readonly toleranceSeconds: number
  readonly categories: readonly TokenCategory[]
  readonly clock: Clock
}

/**
 * Asks Clerk's own verifier about a token that ours has accepted, so that a rule which Clerk adds holds here too.
 *
 * @throws TokenRejected `wrong_type` for another class of JWT of the same key, `bad_claims` when Clerk refuses
 */
export async function askClerk(token: string, key: PublicJwk, rules: ClerkRules): Promise<void> {
  const { cat } = decodeProtectedHeader(token)
  const isKind =
    cat === undefined || cat === categories.untold || rules.categories.some((one) => categories[one] === cat)
  if (!isKind) {
    throw new TokenRejected('wrong_type', 'The token is of another class of JWT.', { where: 'header.cat' })
  }
  const { issuer, audience, authorizedParties, clock, toleranceSeconds } = rules
  // Clerk's verifier reads the machine's clock itself, and ours has judged the times already.
  const apartMs = Math.abs(clock.now() * 1000 - Date.now())
  const { kty, alg, n = '', e = '' } = key
  try {
    await verifyJwt(token, {
      key: { kty, alg, n, e },
      issuer,
      clockSkewInMs: apartMs + (toleranceSeconds + 1) * 1000,
      ...(audience === undefined ? {} : { audience }),
      ...(authorizedParties === undefined ? {} : { authorizedParties: [...authorizedParties] }),
    })
  } catch (cause) {
    throw new TokenRejected('bad_claims', "Clerk's own verifier refuses the token.", { where: 'token', cause })
  }
}
