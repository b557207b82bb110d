import { readFileSync } from 'node:fs'
import { importJWK, type JWK, SignJWT } from 'jose'

/** What `set-up.mjs` writes. */
export interface LiveKeys {
  readonly issuer: string
  readonly es256Issuer: string
  readonly webhookSecret: string
  readonly RS256: JWK
  readonly ES256: JWK
  /** What the deployment's environment is given. */
  readonly environment: Readonly<Record<string, string>>
}

export const readKeys = (file: string | URL): LiveKeys => JSON.parse(readFileSync(file, 'utf8'))

export interface Minting {
  readonly claims?: Readonly<Record<string, unknown>>
  readonly algorithm?: 'RS256' | 'ES256'
}

/** As Clerk's template for Convex writes it. */
export async function mint(
  keys: LiveKeys,
  user: string,
  { claims = {}, algorithm = 'RS256' }: Minting = {},
): Promise<string> {
  const key = keys[algorithm]
  const iat = Math.floor(Date.now() / 1_000)
  const iss = algorithm === 'RS256' ? keys.issuer : keys.es256Issuer
  const all = { iss, aud: 'convex', sub: user, iat, exp: iat + 60, fva: [0, -1], ...claims }
  return await new SignJWT(all)
    .setProtectedHeader({ alg: algorithm, kid: key.kid ?? '' })
    .sign(await importJWK(key, algorithm))
}
