import type { TokenServiceParts } from '@countersign/server'
import { type AccessTokenClaims, type Clock, createVerifier, parseScope, type Verifier } from '@countersign/tokens'
import type { Settings } from './config.ts'

/** How the module's tokens look outside. */
export interface TokenForm {
  /** From the token that the issuer signed and recorded. */
  present(issued: string): Promise<{ readonly token: string; readonly expiresAt: number }>
  readonly verifier: Verifier
}

/** Reads a token that was signed in this process a moment ago. */
function claimsOf(issued: string): AccessTokenClaims {
  return JSON.parse(Buffer.from(issued.split('.')[1] ?? '', 'base64url').toString())
}

/** Tokens are checked where they are made: by the ring itself, whose keys need no JWKS. */
function ed25519Form(settings: Settings, { rings }: TokenServiceParts, clock: Clock | undefined): TokenForm {
  const [ring] = rings
  if (ring === undefined) throw new Error('the module has no key ring')
  const { issuer, audience, tokenExpirySeconds: maxLifeSeconds } = settings
  return {
    verifier: createVerifier({
      issuer,
      audience,
      keys: ring.keys,
      maxLifeSeconds,
      ...(clock === undefined ? {} : { clock }),
    }),
    present: async (token) => ({ token, expiresAt: claimsOf(token).exp }),
  }
}

/**
 * Compatibility: the same claims, with `scopes` as an array and signed by the shared secret. Revocation reaches them as it
 * reaches the token that they stand for. What others sign with the secret may lack the claims that only we need.
 */
async function hs256Form(settings: Settings, secret: string, clock: Clock | undefined): Promise<TokenForm> {
  const { createHs256Verifier, signHs256 } = await import('@countersign/tokens/hs256')
  const { issuer, audience, saysAudience, tokenExpirySeconds: maxLifeSeconds } = settings
  const key = { secret }
  return {
    verifier: createHs256Verifier({
      issuer,
      audience,
      keys: [key],
      missing: saysAudience ? ['iss', 'jti', 'client_id'] : ['iss', 'jti', 'client_id', 'aud'],
      scopeClaim: 'scopes',
      maxLifeSeconds,
      ...(clock === undefined ? {} : { clock }),
    }),
    async present(issued) {
      const { scope, aud, ...claims } = claimsOf(issued)
      const own = { ...claims, scopes: [...parseScope(scope ?? '')], ...(saysAudience ? { aud } : {}) }
      return { token: await signHs256(own, key), expiresAt: claims.exp }
    },
  }
}

export async function createTokenForm(
  settings: Settings,
  parts: TokenServiceParts,
  clock: Clock | undefined,
): Promise<TokenForm> {
  const { algorithm, secretKey } = settings
  return algorithm === 'HS256' && secretKey !== undefined
    ? hs256Form(settings, secretKey, clock)
    : ed25519Form(settings, parts, clock)
}
