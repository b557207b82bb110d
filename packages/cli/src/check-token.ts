import { createVerifier, type Principal, TokenRejected } from '@countersign/tokens'
import type { CliIo } from './io.ts'
import type { VerificationSettings } from './verification.ts'

/**
 * Checks a token as a consumer would; where the issuer can be asked, also whether it was revoked.
 * @throws TokenRejected
 */
export async function checkToken(
  { clock }: Pick<CliIo, 'clock'>,
  token: string,
  { issuer, audience, keys, algorithms, profile, isActive }: VerificationSettings,
): Promise<Principal> {
  const verifier = createVerifier({ issuer, audience, keys, algorithms, profile, cache: false, clock })
  const principal = await verifier.verify(token)
  // A verifier forgives some seconds of clock difference; the issuer does not, and would call such a token inactive.
  if (isActive !== undefined && principal.expiresAt > clock.now() && !(await isActive(token))) {
    throw new TokenRejected('revoked', 'The token, its session, its client or its user was revoked or disabled.', {
      where: 'claims.jti',
    })
  }
  return principal
}
