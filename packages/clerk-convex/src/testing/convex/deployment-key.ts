import type { SignJwtOptions } from 'convex/server'
import { exportJWK, generateKeyPair, type JSONWebKeySet, SignJWT } from 'jose'

/** What stands in for the key that a deployment signs with. */
export interface DeploymentKey {
  /** What `${issuer}/.well-known/jwks.json` answers. */
  readonly jwks: JSONWebKeySet
  signJwt(options: SignJwtOptions): Promise<string>
}

export interface DeploymentKeyOptions {
  /** `CONVEX_CLOUD_URL` of the deployment. */
  readonly issuer: string
  /** Seconds since the Unix epoch. @default the system's clock */
  readonly now?: () => number
}

/** Convex's own rules: 1 second to 1 hour, and neither its claims nor names of its own. */
export async function createDeploymentKey({
  issuer,
  now = () => Date.now() / 1_000,
}: DeploymentKeyOptions): Promise<DeploymentKey> {
  const { publicKey, privateKey } = await generateKeyPair('ES256')
  const kid = 'deployment-1'
  return {
    jwks: { keys: [{ ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }] },
    async signJwt({ claims = {}, expiresInSeconds }) {
      if (!(expiresInSeconds >= 1 && expiresInSeconds <= 3_600)) throw new Error('expiresInSeconds must be 1 to 3600.')
      const taken = Object.keys(claims).find((name) => /^(iss|iat|exp|nbf)$|^(convex|cvx)/i.test(name))
      if (taken !== undefined) throw new Error(`The claim "${taken}" is reserved.`)
      const iat = Math.floor(now())
      return new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid })
        .setIssuer(issuer)
        .setIssuedAt(iat)
        .setExpirationTime(iat + Math.floor(expiresInSeconds))
        .sign(privateKey)
    },
  }
}
