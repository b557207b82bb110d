import { engine } from '#engine'
import type { HmacKey } from './engine-contract.ts'
import { isIdentifier } from './internal/check-claims.ts'
import { importHs256Secret } from './internal/hs256-secret.ts'
import { TokensError } from './tokens-error.ts'

/** A secret that signs and verifies HS256 and nothing else. */
export interface Hs256Key {
  /** Goes into the header; a key without one answers to tokens without one. */
  readonly kid?: string
  /** At least 32 bytes; text is taken as UTF-8. */
  readonly secret: Uint8Array | string
}

const imported = new WeakMap<Hs256Key, HmacKey>()

function keyOf(key: Hs256Key): HmacKey {
  let hmac = imported.get(key)
  if (hmac === undefined) {
    hmac = importHs256Secret(key.secret)
    imported.set(key, hmac)
  }
  return hmac
}

function signingInput(claims: Readonly<Record<string, unknown>>, { kid }: Hs256Key): string {
  if (!isIdentifier(claims.sub))
    throw new TokensError('claims_refused', 'The claim "sub" is missing or has the wrong form.')
  if (!Number.isSafeInteger(claims.exp))
    throw new TokensError('claims_refused', 'The claim "exp" is not whole seconds.')
  const header = kid === undefined ? { alg: 'HS256', typ: 'JWT' } : { alg: 'HS256', typ: 'JWT', kid }
  return `${engine.encodeText(JSON.stringify(header))}.${engine.encodeText(JSON.stringify(claims))}`
}

/**
 * Signs a legacy token (JWT with HMAC SHA-256, RFC 7518 section 3.2): for compatibility only; everybody who can verify
 * such a token can also make one.
 *
 * @throws TokensError `bad_key` for a weak or published secret, `claims_refused` without `sub` and `exp`
 */
export async function signHs256(claims: Readonly<Record<string, unknown>>, key: Hs256Key): Promise<string> {
  const input = signingInput(claims, key)
  return `${input}.${engine.encodeBytes(await keyOf(key).sign(new Uint8Array(engine.ascii(input, input.length))))}`
}

/**
 * {@link signHs256} without waiting.
 *
 * @throws TokensError also `sync_unavailable` outside Node
 */
export function signHs256Sync(claims: Readonly<Record<string, unknown>>, key: Hs256Key): string {
  const { signSync } = keyOf(key)
  if (signSync === undefined) throw new TokensError('sync_unavailable', 'This runtime has no synchronous HMAC.')
  const input = signingInput(claims, key)
  return `${input}.${engine.encodeBytes(signSync(engine.ascii(input, input.length)))}`
}
