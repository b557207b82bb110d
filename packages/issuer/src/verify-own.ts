import { createVerifier, isRejection, type KeySource, type Principal, type Verifier } from '@countersign/tokens'
import type { Context } from './context.ts'
import { refusal } from './refusals.ts'

/** Reads back the issuer's own access tokens, whatever their audience. */
export interface OwnTokens {
  /**
   * @returns undefined when it is no token of ours that is valid now
   * @throws IssuerError `temporarily_unavailable` when that cannot be decided
   */
  read(token: string): Promise<Principal | undefined>
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
  return {
    async read(token) {
      const verifier = verifiers.get(claimedAudience(token) ?? '')
      if (verifier === undefined) return undefined
      try {
        const principal = await verifier.verify(token)
        // Verifiers forgive some seconds of clock difference; here the clock is the one that set `exp`.
        return principal.expiresAt > context.now() ? principal : undefined
      } catch (error) {
        if (!isRejection(error)) throw error
        if (error.code === 'keys_unavailable') throw refusal('keys_failed', { retryAfterSeconds: 1, cause: error })
        return undefined
      }
    },
  }
}

/** Only chooses the verifier, which then checks everything, this claim too. */
function claimedAudience(token: string): string | undefined {
  if (token.length > longestToken) return undefined
  const payload = token.split('.', 3)[1]
  if (payload === undefined) return undefined
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8'))
    if (typeof claims !== 'object' || claims === null || !('aud' in claims)) return undefined
    return typeof claims.aud === 'string' ? claims.aud : undefined
  } catch {
    return undefined
  }
}
