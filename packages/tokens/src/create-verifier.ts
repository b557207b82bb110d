import { engine } from '#engine'
import { type Header, type OpenToken, openToken } from './internal/open-token.ts'
import { notBefore, readPrincipal } from './internal/read-principal.ts'
import { reject } from './internal/reject.ts'
import { parseStrictObject } from './internal/strict-json.ts'
import { type TrustedKey, trustKey } from './internal/trusted-key.ts'
import { type VerifiedToken, VerifiedTokens } from './internal/verified-tokens.ts'
import type { PublicJwk } from './key-source.ts'
import type { Principal, Verifier } from './principal.ts'
import { TokensError } from './tokens-error.ts'
import { resolveOptions, type VerifierOptions } from './verifier-options.ts'

/** A {@link Verifier} over a key source. */
export interface TokenVerifier extends Verifier {
  /**
   * Verifies without waiting: where the runtime can (Node), with keys that are in memory already.
   *
   * @throws TokenRejected with a code when the token is not accepted; a key that is not in memory is `unknown_key`
   * @throws TokensError `sync_unavailable` where the runtime or the engine cannot
   */
  verifySync(token: string): Principal
  /** What the verified-token cache holds now. */
  readonly cache: { readonly entries: number; readonly bytes: number }
}

/** Most headers remembered by their exact segment: one for each signing key, and a few spellings. */
const mostHeaders = 64

/**
 * Makes the verifier of one audience.
 *
 * The checks, in order: shape, header, algorithm, key, signature, `typ`, claims, revocation. No claim is read before the
 * signature holds, and no key is ever taken from a token.
 *
 * @throws TokensError `bad_option` or `insecure_url`
 */
export function createVerifier(options: VerifierOptions): TokenVerifier {
  const { keys, algorithms, maxTokenLength, cache, clock, expectations } = resolveOptions(options)
  const { toleranceSeconds, profile } = expectations
  const ed25519 = options.ed25519 ?? engine.ed25519
  const isRevoked = options.isRevoked
  const verified = new VerifiedTokens(cache === false ? 0 : cache.maxEntries, cache === false ? 0 : cache.maxBytes)
  const headers = new Map<string, Header>()
  const trusted = new WeakMap<PublicJwk, TrustedKey>()

  function open(token: string): OpenToken {
    const opened = openToken(token, maxTokenLength, headers)
    if (algorithms.has(opened.header.alg)) return opened
    return reject('unsupported_alg', 'header.alg', 'The algorithm is not on the list.', 'algorithms')
  }

  function trust(jwk: PublicJwk): TrustedKey {
    let key = trusted.get(jwk)
    if (key === undefined) {
      key = trustKey(jwk, ed25519)
      trusted.set(jwk, key)
    }
    return key
  }

  /** One key, one algorithm: what the header says only has to agree. */
  function choose(jwk: PublicJwk | undefined, { header, signature }: OpenToken): TrustedKey {
    if (jwk === undefined) return reject('unknown_key', 'header.kid', 'No key of the issuer has this id.', 'keys')
    const key = trust(jwk)
    if (!key.answersTo(header.alg)) {
      return reject('unsupported_alg', 'header.alg', 'The key is for another algorithm.', 'keys')
    }
    if (!key.fits(signature)) {
      return reject('bad_signature', 'signature', 'The signature is not one that the key could have made.')
    }
    return key
  }

  /** Everything after the signature. */
  function finish(opened: OpenToken, { jwk }: TrustedKey): Principal {
    const { token, header, headerSegment, payload } = opened
    if (!profile.types.includes(header.type)) {
      return reject('wrong_type', 'header.typ', 'The token is not an access token.', 'profile')
    }
    const claims = parseStrictObject(payload)
    if (claims === undefined) return reject('malformed', 'claims', 'The payload is not a strict JSON object.')
    const now = clock.now()
    const principal = readPrincipal(claims, jwk.kid, now, expectations)
    if (isRevoked?.(principal) === true) return revoked()
    if (!headers.has(headerSegment)) {
      if (headers.size >= mostHeaders) headers.clear()
      headers.set(headerSegment, header)
    }
    if (cache !== false) {
      const endsAt = principal.expiresAt + toleranceSeconds
      verified.add({
        token,
        principal,
        key: jwk,
        startsAt: notBefore(principal.issuedAt, claims.nbf as number | undefined) - toleranceSeconds,
        endsAt,
        endsAtMs: clock.monotonicMs() + (endsAt - now) * 1000,
      })
    }
    return principal
  }

  function revoked(): never {
    return reject('revoked', 'claims', 'The token was revoked.', 'isRevoked')
  }

  /** What has changed since a token was verified: time, the keys, revocations. */
  function recheck({ principal, key, startsAt, endsAt, endsAtMs }: VerifiedToken): Principal | undefined {
    if (keys.get(key.kid) !== key) {
      verified.purge(key)
      return undefined
    }
    const now = clock.now()
    if (now >= endsAt || clock.monotonicMs() >= endsAtMs) {
      return reject('expired', 'claims.exp', 'The token has expired.', 'clockToleranceSeconds')
    }
    if (now < startsAt) {
      return reject('not_yet_valid', 'claims.iat', 'The token is not valid yet.', 'clockToleranceSeconds')
    }
    if (isRevoked?.(principal) === true) return revoked()
    return principal
  }

  function verifySync(token: string): Principal {
    const hit = typeof token === 'string' ? verified.get(token) : undefined
    const known = hit === undefined ? undefined : recheck(hit)
    if (known !== undefined) return known
    const opened = open(token)
    const key = choose(keys.get(opened.header.kid), opened)
    if (key.signature.verifySync === undefined) {
      throw new TokensError('sync_unavailable', `The engine cannot verify ${key.jwk.alg} synchronously.`)
    }
    if (!key.signature.verifySync(engine.ascii(token, opened.signedLength), opened.signature)) return forged()
    return finish(opened, key)
  }

  function forged(): never {
    return reject('bad_signature', 'signature', 'The signature does not hold.')
  }

  async function verifyColdly(token: string): Promise<Principal> {
    const opened = open(token)
    const { kid } = opened.header
    const key = choose(keys.get(kid) ?? (await keys.load(kid)), opened)
    const data = engine.ascii(token, opened.signedLength)
    const holds =
      key.signature.verifySync !== undefined
        ? key.signature.verifySync(data, opened.signature)
        : await key.signature.verify(data, opened.signature)
    if (!holds) return forged()
    // The key may have been withdrawn while the engine was at work.
    if (keys.get(kid) !== key.jwk) return reject('unknown_key', 'header.kid', 'The key was withdrawn.', 'keys')
    return finish(opened, key)
  }

  async function verify(token: string): Promise<Principal> {
    const hit = typeof token === 'string' ? verified.get(token) : undefined
    return (hit === undefined ? undefined : recheck(hit)) ?? (await verifyColdly(token))
  }

  return {
    verify,
    verifySync,
    get cache() {
      return { entries: verified.entries, bytes: verified.bytes }
    },
  }
}
