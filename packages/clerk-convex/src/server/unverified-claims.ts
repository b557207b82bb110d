import { decodeJwt } from 'jose'

/** Longest token that is looked into; longer ones are refused by every verifier. */
const longestToken = 8_192

/**
 * A claim of a token that nobody has verified: to choose the one verifier that the token is for, which reads the claim
 * again once the signature holds.
 */
export function unverifiedClaim(token: string, name: 'azp' | 'sub'): string | undefined {
  if (token.length > longestToken) return undefined
  try {
    const value = decodeJwt(token)[name]
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}
