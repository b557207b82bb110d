import { type Clock, type Profile, systemClock, type TokenSigner } from '@countersign/tokens'
import { signJws } from '@countersign/tokens/jws'
import type { RunnerClaims } from './options.ts'

/** The `typ` of runner tokens that {@link runnerSigner} signs. */
const tokenType = 'runner+jwt'

/** How runner tokens differ from RFC 9068: their `typ`, where Convex signs `JWT`, and `org`. */
export const runnerProfile: Profile = Object.freeze<Profile>({
  name: 'runner',
  algorithms: ['ES256', 'EdDSA', 'Ed25519'],
  types: [tokenType, 'jwt'],
  audience: 'aud',
  clientId: ['client_id'],
  optional: [],
  required: {},
  forbidden: ['nonce', 'at_hash', 'c_hash', 'events'],
  organization: ['org'],
})

export interface RunnerSignerOptions {
  readonly issuer: string
  readonly signer: TokenSigner
  readonly clock?: Clock
}

/** Signs runner tokens with a key of your own, where there is no `ctx.auth.signJwt`. */
export function runnerSigner(
  options: RunnerSignerOptions,
): (claims: RunnerClaims, lifeSeconds: number) => Promise<string> {
  const { issuer, signer, clock = systemClock } = options
  return async (claims, lifeSeconds) => {
    const iat = Math.floor(clock.now())
    return await signJws(tokenType, { ...claims, iss: issuer, iat, exp: iat + lifeSeconds }, signer)
  }
}
