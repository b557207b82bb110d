import { AuthError } from '../auth-error.ts'

/** A public key of a JWKS; members beyond these are left out. */
export interface RsaOrEcKey {
  readonly kid: string
  readonly kty: string
  readonly alg?: string
  readonly use?: string
  readonly n?: string
  readonly e?: string
  readonly crv?: string
  readonly x?: string
  readonly y?: string
}

/** A JWKS as Clerk's Backend API and any `/.well-known/jwks.json` answer it. */
export interface PublicKeySet {
  readonly keys: readonly RsaOrEcKey[]
}

const mostKeys = 20
const base64url = /^[A-Za-z0-9_-]+$/
/** 2048 bits; a leading zero octet does not count. */
const leastModulusLength = 342

/**
 * The set with its public members only, in a data URI: Convex then asks nobody for keys.
 *
 * @throws AuthError `bad_option` for a set that Convex could not use, or that holds a private key
 */
export function toDataUri(set: unknown, algorithm: 'RS256' | 'ES256'): string {
  const keys = readList(set).map((key, index) => readKey(key, `jwks.keys.${index}`, algorithm))
  const kids = new Set(keys.map(({ kid }) => kid))
  if (kids.size !== keys.length) return refuse('jwks.keys: two keys have the same "kid".')
  return `data:application/json;base64,${btoa(JSON.stringify({ keys }))}`
}

function readList(set: unknown): readonly unknown[] {
  const keys = isObject(set) ? set.keys : undefined
  const isGood = Array.isArray(keys) && keys.length > 0 && keys.length <= mostKeys
  return isGood ? keys : refuse(`"jwks" must hold 1 to ${mostKeys} keys.`)
}

function readKey(key: unknown, where: string, algorithm: 'RS256' | 'ES256'): RsaOrEcKey {
  if (!isObject(key)) return refuse(`${where} must be an object.`)
  for (const name of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']) {
    if (name in key) return refuse(`${where} is a private key: publish the public one, and replace this one.`)
  }
  const { kid, kty, alg, use } = key
  // No control or non-ASCII characters: `btoa` knows Latin-1 only.
  if (typeof kid !== 'string' || !/^[\x21-\x7e]{1,256}$/.test(kid)) return refuse(`${where}.kid must be a name.`)
  if (use !== undefined && use !== 'sig') return refuse(`${where}.use must be "sig".`)
  if (alg !== undefined && alg !== algorithm) return refuse(`${where}.alg must be "${algorithm}".`)
  const part = (name: string): string => {
    const value = key[name]
    return typeof value === 'string' && base64url.test(value) ? value : refuse(`${where}.${name} must be base64url.`)
  }
  if (algorithm === 'ES256') {
    if (kty !== 'EC' || key.crv !== 'P-256') return refuse(`${where} must be a P-256 key.`)
    return { kid, kty, alg: algorithm, use: 'sig', crv: 'P-256', x: part('x'), y: part('y') }
  }
  if (kty !== 'RSA') return refuse(`${where} must be an RSA key.`)
  const n = part('n')
  if (n.replace(/^A+/, '').length < leastModulusLength - 1) return refuse(`${where} has less than 2048 bits.`)
  return { kid, kty, alg: algorithm, use: 'sig', n, e: part('e') }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refuse(message: string): never {
  throw new AuthError('bad_option', message)
}
