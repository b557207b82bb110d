import { engine } from '#engine'
import { AlikePayloads } from './internal/alike-payloads.ts'
import { KnownHeaders, type OpenToken, openSignature, openToken } from './internal/open-token.ts'
import { notBefore, readPrincipal } from './internal/read-principal.ts'
import { reject } from './internal/reject.ts'
import { revocationCheck } from './internal/revocation-check.ts'
import { shareClaims } from './internal/shared-claims.ts'
import { holdsPrintable, parseStrictObject } from './internal/strict-json.ts'
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
  const checkRevoked = revocationCheck(options.isRevoked)
  const verified = new VerifiedTokens(cache.maxEntries, cache.maxBytes)
  const cached = cache.maxEntries > 0
  const headers = new KnownHeaders()
  const payloads = new AlikePayloads()
  const seen = { payloads }
  const trusted = new WeakMap<PublicJwk, TrustedKey>()

  function trust(jwk: PublicJwk): TrustedKey {
    let key = trusted.get(jwk)
    if (key === undefined) {
      key = trustKey(jwk, ed25519)
      trusted.set(jwk, key)
    }
    return key
  }

  function open(token: string): OpenToken {
    const opened = openToken(token, maxTokenLength, headers, seen)
    // A header that held before was on the list then, and lists do not change.
    if (opened.known !== undefined || algorithms.has(opened.header.alg)) return opened
    return reject('unsupported_alg', 'header.alg', 'The algorithm is not on the list.', 'algorithms')
  }

  /** One key, one algorithm: what the header says only has to agree. */
  function choose(jwk: PublicJwk | undefined, { header, known }: OpenToken, signature: Uint8Array): TrustedKey {
    if (jwk === undefined) return reject('unknown_key', 'header.kid', 'No key of the issuer has this id.', 'keys')
    const key = known?.key.jwk === jwk ? known.key : trust(jwk)
    if (!key.answersTo(header.alg)) {
      return reject('unsupported_alg', 'header.alg', 'The key is for another algorithm.', 'keys')
    }
    if (!key.fits(signature)) {
      return reject('bad_signature', 'signature', 'The signature is not one that the key could have made.')
    }
    return key
  }

  /** Everything after the signature. */
  function finish(opened: OpenToken, key: TrustedKey): Principal {
    const { token, header, payload, ascii, kind, known } = opened
    if (known === undefined && !profile.types.includes(header.type)) {
      return reject('wrong_type', 'header.typ', 'The token is not an access token.', 'profile')
    }
    const claims = kind?.read(payload) ?? parseStrictObject(payload, shareClaims)
    if (claims === undefined) return reject('malformed', 'claims', 'The payload is not a strict JSON object.')
    const now = clock.now()
    const printable = kind !== undefined || (ascii && holdsPrintable(payload))
    const principal = readPrincipal(claims, key.jwk.kid, now, expectations, printable)
    checkRevoked(principal)
    if (kind === undefined && printable) payloads.learn(claims, payload)
    if (known?.key !== key) headers.add({ segment: token.slice(0, token.indexOf('.')), header, key })
    if (cached) remember(token, principal, key.jwk, now)
    return principal
  }

  function remember(token: string, principal: Principal, key: PublicJwk, now: number): void {
    const startsAt = notBefore(principal.issuedAt, principal.claims.nbf as number | undefined) - toleranceSeconds
    const endsAt = principal.expiresAt + toleranceSeconds
    // Whole numbers, and a token of its own: each hit reaches through less memory.
    const endsAtMs = Math.floor(clock.monotonicMs() + (endsAt - now) * 1000)
    verified.add({ token: engine.ownText(token), principal, key, startsAt, endsAt, endsAtMs })
  }

  /** What has changed since a token was verified: time, the keys, revocations. */
  function recheck({ principal, key, startsAt, endsAt, endsAtMs }: VerifiedToken): Principal | undefined {
    if (keys.get(key.kid) !== key) {
      verified.purge(key)
      return undefined
    }
    const now = clock.now()
    if (!(now < endsAt && clock.monotonicMs() < endsAtMs)) {
      return reject('expired', 'claims.exp', 'The token has expired.', 'clockToleranceSeconds')
    }
    if (now < startsAt) {
      return reject('not_yet_valid', 'claims.iat', 'The token is not valid yet.', 'clockToleranceSeconds')
    }
    checkRevoked(principal)
    return principal
  }

  function forged(): never {
    return reject('bad_signature', 'signature', 'The signature does not hold.')
  }

  function recall(token: string): Principal | undefined {
    const hit = cached && typeof token === 'string' ? verified.get(token) : undefined
    return hit === undefined ? undefined : recheck(hit)
  }

  function checkSync(opened: OpenToken, key: TrustedKey, signature: Uint8Array): Principal | undefined {
    if (key.signature.verifySync === undefined) return undefined
    const data = engine.ascii(opened.token, opened.signedLength)
    return key.signature.verifySync(data, signature) ? finish(opened, key) : forged()
  }

  function verifySync(token: string): Principal {
    const known = recall(token)
    if (known !== undefined) return known
    const opened = open(token)
    const jwk = keys.get(opened.header.kid)
    if (jwk === undefined && keys.ready === false) {
      return reject('keys_unavailable', 'header.kid', 'No key set is in memory.', 'keys')
    }
    // Not before: what a key source calls may verify other tokens.
    const signature = openSignature(opened)
    const key = choose(jwk, opened, signature)
    const principal = checkSync(opened, key, signature)
    if (principal !== undefined) return principal
    throw new TokensError('sync_unavailable', `The engine cannot verify ${key.jwk.alg} synchronously.`)
  }

  /** With waiting, for a key that has to be fetched or an engine that is asynchronous. */
  async function checkSlowly(opened: OpenToken, lent: Uint8Array, found: PublicJwk | undefined): Promise<Principal> {
    // Not `slice()`: on Node the bytes are a Buffer's, whose `slice` shares memory with the tokens that come meanwhile.
    const signature = new Uint8Array(lent)
    const { kid } = opened.header
    const key = choose(found ?? (await keys.load(kid)), opened, signature)
    const principal = checkSync(opened, key, signature)
    if (principal !== undefined) return principal
    const data = new Uint8Array(engine.ascii(opened.token, opened.signedLength))
    if (!(await key.signature.verify(data, signature))) return forged()
    // The key may have been withdrawn while the engine was at work.
    if (keys.get(kid) !== key.jwk) return reject('unknown_key', 'header.kid', 'The key was withdrawn.', 'keys')
    return finish(opened, key)
  }

  async function verify(token: string): Promise<Principal> {
    const known = recall(token)
    if (known !== undefined) return known
    const opened = open(token)
    const jwk = keys.get(opened.header.kid)
    const signature = openSignature(opened)
    const principal = jwk === undefined ? undefined : checkSync(opened, choose(jwk, opened, signature), signature)
    return principal ?? (await checkSlowly(opened, signature, jwk))
  }

  const verifier: TokenVerifier = {
    verify,
    verifySync,
    get cache() {
      return { entries: verified.entries, bytes: verified.bytes }
    },
  }
  /** For this very verifier: one that stands over or before it, with a `verify` of its own, must not be passed by. */
  function ownRecall(this: unknown, token: string): Principal | undefined {
    return this === verifier ? recall(token) : undefined
  }
  // Not enumerable, so that a verifier which is spread from this one has to be asked itself.
  return Object.defineProperty(verifier, 'recall', { value: ownRecall })
}
