import { engine } from '#engine'
import type { AccessTokenClaims } from './claims.ts'
import { issuedClaims } from './internal/claims-schema.ts'
import type { TokenSigner } from './key-source.ts'
import { TokensError } from './tokens-error.ts'

/** Bytes of an Ed25519 or ES256 signature in a JWS. */
const signatureBytes = 64

/** The header segment of each signer, made once. */
const headerSegments = new WeakMap<TokenSigner, string>()

function headerSegment(signer: TokenSigner): string {
  let segment = headerSegments.get(signer)
  if (segment === undefined) {
    segment = engine.encodeText(JSON.stringify({ alg: signer.algorithm, typ: 'at+jwt', kid: signer.kid }))
    headerSegments.set(signer, segment)
  }
  return segment
}

function refuse(where: string, message: string): never {
  throw new TokensError('claims_refused', `The claim "${where}" ${message}.`)
}

function signingInput(claims: AccessTokenClaims, signer: TokenSigner): string {
  const parsed = issuedClaims.safeParse(claims)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const unknown = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined
    return refuse(
      [...(issue?.path ?? []), ...(unknown === undefined ? [] : [unknown])].join('.'),
      unknown === undefined ? 'is missing or has the wrong form' : 'is not one of an access token',
    )
  }
  if (claims.exp <= claims.iat) return refuse('exp', 'is not after "iat"')
  if (claims.nbf !== undefined && claims.nbf >= claims.exp) return refuse('nbf', 'is not before "exp"')
  // What was checked is what is signed: a getter or a toJSON of the caller's object has no second say.
  return `${headerSegment(signer)}.${engine.encodeText(JSON.stringify(parsed.data))}`
}

function compact(input: string, signature: Uint8Array): string {
  if (!(signature instanceof Uint8Array) || signature.length !== signatureBytes) {
    throw new TokensError('signing_failed', `The signer did not return a signature of ${signatureBytes} bytes.`)
  }
  return `${input}.${engine.encodeBytes(signature)}`
}

/**
 * Signs an access token (RFC 9068) with the header `{ alg, typ: 'at+jwt', kid }`.
 *
 * @param claims checked strictly: exactly the members of {@link AccessTokenClaims}
 * @param signer its `signSync` is used when it is there
 * @throws TokensError `claims_refused`, naming the claim; `signing_failed` on a signature of the wrong length
 */
export async function signAccessToken(claims: AccessTokenClaims, signer: TokenSigner): Promise<string> {
  const input = signingInput(claims, signer)
  if (signer.signSync !== undefined) return compact(input, signer.signSync(engine.ascii(input, input.length)))
  // The bytes are only lent until the next token; this signer keeps them longer.
  return compact(input, await signer.sign(engine.ascii(input, input.length).slice()))
}

/**
 * {@link signAccessToken} without waiting.
 *
 * @throws TokensError also `sync_unavailable` when the signer has no `signSync`
 */
export function signAccessTokenSync(claims: AccessTokenClaims, signer: TokenSigner): string {
  if (signer.signSync === undefined) {
    throw new TokensError('sync_unavailable', 'The signer cannot sign synchronously.')
  }
  const input = signingInput(claims, signer)
  return compact(input, signer.signSync(engine.ascii(input, input.length)))
}
