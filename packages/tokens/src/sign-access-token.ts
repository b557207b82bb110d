import { engine } from '#engine'
import type { AccessTokenClaims } from './claims.ts'
import { findBadClaim, isIdentifier } from './internal/check-claims.ts'
import type { TokenSigner } from './key-source.ts'
import { rfc9068 } from './profile.ts'
import { isScope } from './scope.ts'
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

/** The members of {@link AccessTokenClaims}, in the order in which they are written. */
const known = {
  iss: true,
  sub: true,
  aud: true,
  exp: true,
  iat: true,
  nbf: true,
  jti: true,
  client_id: true,
  scope: true,
  sid: true,
  org_id: true,
  act: true,
  may_act: true,
  anc: true,
  gen: true,
  cnf: true,
} as const satisfies Record<keyof AccessTokenClaims, true>

/** Names of actors, and of `may_act`. */
const knownActor: ReadonlySet<string> = new Set(['sub', 'client_id', 'act'])

function checkActor(actor: object | undefined, where: string): void {
  if (actor === undefined) return
  for (const name of Object.keys(actor)) if (!knownActor.has(name)) refuse(`${where}.${name}`, 'is not one of an actor')
  if ('act' in actor && typeof actor.act === 'object' && actor.act !== null) checkActor(actor.act, `${where}.act`)
}

/** What is no list is refused as it is; what the list holds, by the checks of each. */
function copyList(list: readonly unknown[]): readonly unknown[] {
  return Array.isArray(list) ? [...list] : list
}

/** A copy of plain data: what is checked is what is signed, whatever getters the caller's object has. */
function copyClaims(claims: AccessTokenClaims): AccessTokenClaims {
  if (typeof claims !== 'object' || claims === null) return refuse('', 'must be an object')
  for (const name in claims) if (!Object.hasOwn(known, name)) refuse(name, 'is not one of an access token')
  const { iss, sub, aud, exp, iat, nbf, jti, client_id, scope, sid, org_id, act, may_act, anc, gen, cnf } = claims
  const copy: Record<string, unknown> = { iss, sub, aud, exp, iat, jti, client_id, scope }
  if (nbf !== undefined) copy.nbf = nbf
  if (sid !== undefined) copy.sid = sid
  if (org_id !== undefined) copy.org_id = org_id
  if (act !== undefined || may_act !== undefined || cnf !== undefined) {
    Object.assign(copy, JSON.parse(JSON.stringify({ act, may_act, cnf })))
  }
  if (anc !== undefined) copy.anc = copyList(anc)
  if (gen !== undefined) copy.gen = copyList(gen)
  return copy as unknown as AccessTokenClaims
}

function signingInput(claims: AccessTokenClaims, signer: TokenSigner): string {
  const copy = copyClaims(claims)
  const bad = findBadClaim(copy as unknown as Readonly<Record<string, unknown>>, rfc9068)
  if (bad !== undefined || !isScope(copy.scope)) return refuse(bad ?? 'scope', 'is missing or has the wrong form')
  if (!isIdentifier(copy.aud)) return refuse('aud', 'has the wrong form')
  if (!isIdentifier(copy.client_id)) return refuse('client_id', 'is missing or has the wrong form')
  checkActor(copy.act, 'act')
  checkActor(copy.may_act, 'may_act')
  if (copy.exp <= copy.iat) return refuse('exp', 'is not after "iat"')
  if (copy.nbf !== undefined && copy.nbf >= copy.exp) return refuse('nbf', 'is not before "exp"')
  return `${headerSegment(signer)}.${engine.encodeText(JSON.stringify(copy))}`
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
  return compact(input, await signer.sign(new Uint8Array(engine.ascii(input, input.length))))
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
