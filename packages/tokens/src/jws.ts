import { engine } from '#engine'
import { KnownHeaders, openSignature, openToken } from './internal/open-token.ts'
import { reject } from './internal/reject.ts'
import { parseStrictObject } from './internal/strict-json.ts'
import { trustKey } from './internal/trusted-key.ts'
import type { KeySource, TokenSigner } from './key-source.ts'
import { TokensError } from './tokens-error.ts'

/** Bytes of an Ed25519 or ES256 signature in a JWS. */
const signatureBytes = 64

/** Longest statement, in characters, if the reader does not say. */
const longestStatement = 8_192

export interface VerifyJwsOptions {
  /** The exact `typ` (RFC 8725 section 3.11), lower case, without `application/`; never `at+jwt`. */
  readonly type: string
  readonly keys: KeySource
  /** Longest accepted, in characters. @default 8_192 */
  readonly maxLength?: number
}

/** A statement whose signature holds. What its members mean, its times too, is the caller's to check. */
export interface VerifiedJws {
  /** Deeply frozen; strict JSON, at most 512 entries. */
  readonly claims: Readonly<Record<string, unknown>>
  readonly keyId: string
}

/**
 * Signs a statement that is no access token: a head of the revocation feed, say. The `typ` of its own keeps the two apart.
 *
 * @throws TokensError `claims_refused` for the type of access tokens; `signing_failed` on a signature of the wrong length
 */
export async function signJws(
  type: string,
  claims: Readonly<Record<string, unknown>>,
  signer: TokenSigner,
): Promise<string> {
  if (isAccessTokenType(type)) throw new TokensError('claims_refused', 'Access tokens are signed by signAccessToken.')
  const header = engine.encodeText(JSON.stringify({ alg: signer.algorithm, typ: type, kid: signer.kid }))
  const input = `${header}.${engine.encodeText(JSON.stringify(claims))}`
  const signature = await signer.sign(new Uint8Array(engine.ascii(input, input.length)))
  if (!(signature instanceof Uint8Array) || signature.length !== signatureBytes) {
    throw new TokensError('signing_failed', `The signer did not return a signature of ${signatureBytes} bytes.`)
  }
  return `${input}.${engine.encodeBytes(signature)}`
}

/**
 * Verifies such a statement with the strictness of access tokens: shape, header, key by `kid`, EdDSA or ES256, signature,
 * exact `typ`, strict JSON.
 *
 * @throws TokenRejected with the code, as a verifier's; TokensError `bad_option` for the type of access tokens
 */
export async function verifyJws(token: string, options: VerifyJwsOptions): Promise<VerifiedJws> {
  const { type, keys, maxLength = longestStatement } = options
  if (isAccessTokenType(type)) throw new TokensError('bad_option', 'Access tokens are verified by createVerifier.')
  const opened = openToken(token, maxLength, new KnownHeaders())
  const { header, payload, signedLength } = opened
  // The engine lends these bytes until the next token only.
  const signature = new Uint8Array(openSignature(opened))
  if (header.type !== type) return reject('wrong_type', 'header.typ', 'The statement is of another type.')
  if (header.alg !== 'EdDSA' && header.alg !== 'Ed25519' && header.alg !== 'ES256') {
    return reject('unsupported_alg', 'header.alg', 'The algorithm is not on the list.')
  }
  const jwk = keys.get(header.kid) ?? (await keys.load(header.kid))
  if (jwk === undefined) return reject('unknown_key', 'header.kid', 'No key of the issuer has this id.', 'keys')
  const key = trustKey(jwk, engine.ed25519)
  if (!key.answersTo(header.alg)) return reject('unsupported_alg', 'header.alg', 'The key is for another algorithm.')
  const data = new Uint8Array(engine.ascii(token, signedLength))
  const holds = key.fits(signature) && (await key.signature.verify(data, signature))
  if (!holds) return reject('bad_signature', 'signature', 'The signature does not hold.')
  const claims = parseStrictObject(payload)
  if (claims === undefined) return reject('malformed', 'claims', 'The payload is not a strict JSON object.')
  return { claims, keyId: header.kid }
}

function isAccessTokenType(type: string): boolean {
  return /^(application\/)?at\+jwt$/i.test(type)
}
