import {
  createVerifier,
  isRejection,
  type KeySource,
  type Principal,
  TokenRejected,
  type Verifier,
} from '@countersign/tokens'
import type { Context } from './context.ts'
import { refusal } from './refusals.ts'

/** Reads back the issuer's own access tokens, whatever their audience. */
export interface OwnTokens {
  /**
   * @returns undefined when it is no token of ours that is valid now
   * @throws IssuerError `temporarily_unavailable` when that cannot be decided
   */
  read(token: string): Promise<Principal | undefined>
  /**
   * The same, saying why not.
   * @param audience as the token claims it
   * @throws TokenRejected
   */
  verify(token: string, audience: string | undefined): Promise<Principal>
  /** At once, for a token that was verified before and still holds. @throws TokenRejected where it has ended since */
  recall(token: string): Principal | undefined
  /** What a token says of itself before anything of it is verified: good for choosing a verifier, and for nothing else. */
  claimed(token: string): ClaimedToken | undefined
}

export interface ClaimedToken {
  readonly issuer: string
  /** Undefined where it is not one text. */
  readonly audience: string | undefined
}

const longestToken = 8192

export function createOwnTokens(context: Context): OwnTokens {
  const { rings } = context
  // An audience may have moved from one algorithm to another while tokens of the old one live.
  const keys: KeySource = {
    get(kid) {
      for (const ring of rings) {
        const key = ring.keys.get(kid)
        if (key !== undefined) return key
      }
      return undefined
    },
    async load(kid) {
      for (const ring of rings) {
        const key = await ring.keys.load(kid)
        if (key !== undefined) return key
      }
      return undefined
    },
  }
  const verifiers = new Map<string, Verifier>()
  const { issuer, clock, longestLifeSeconds } = context
  // Not by the consumer's own life: the matrix may have shortened it while older tokens live.
  const maxLifeSeconds = Math.max(43_200, longestLifeSeconds)
  for (const audience of context.resources.keys()) {
    const verifier = createVerifier({ issuer, audience, keys, algorithms: ['EdDSA', 'ES256'], maxLifeSeconds, clock })
    verifiers.set(audience, verifier)
  }
  /** A verifier forgives some seconds of clock difference; here the clock is the one that set `exp`. */
  async function verify(token: string, audience: string | undefined): Promise<Principal> {
    const verifier = audience === undefined ? undefined : verifiers.get(audience)
    if (verifier === undefined)
      throw new TokenRejected('wrong_audience', 'The token is for no audience of this issuer.')
    const principal = verifier.recall?.(token) ?? (await verifier.verify(token))
    if (principal.expiresAt > context.now()) return principal
    throw new TokenRejected('expired', 'The token has expired.')
  }
  return {
    verify,
    recall(token) {
      // Each look is one in a Map by the same text, whose hash is computed once.
      for (const verifier of verifiers.values()) {
        const principal = verifier.recall?.(token)
        if (principal !== undefined) return principal
      }
      return undefined
    },
    claimed: claimedOf,
    async read(token) {
      try {
        return await verify(token, claimedOf(token)?.audience)
      } catch (error) {
        if (!isRejection(error)) throw error
        if (error.code === 'keys_unavailable') throw refusal('keys_failed', { retryAfterSeconds: 1, cause: error })
        return undefined
      }
    },
  }
}

function claimedOf(token: string): ClaimedToken | undefined {
  if (token.length > longestToken) return undefined
  const payload = token.split('.', 3)[1]
  if (payload === undefined) return undefined
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
    if (typeof claims !== 'object' || claims === null || !('iss' in claims)) return undefined
    const { iss } = claims
    const audience = 'aud' in claims && typeof claims.aud === 'string' ? claims.aud : undefined
    return typeof iss === 'string' ? { issuer: iss, audience } : undefined
  } catch {
    return undefined
  }
}
