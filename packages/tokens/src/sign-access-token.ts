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

/** The members of {@link AccessTokenClaims}. */
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
  via: true,
  gen: true,
  cnf: true,
  synthetic: true,
} as const satisfies Record<keyof AccessTokenClaims, true>

const ofActor: ReadonlySet<string> = new Set(['sub', 'client_id', 'act'])
const ofMayAct: ReadonlySet<string> = new Set(['sub', 'client_id'])

function checkNames(members: object, names: ReadonlySet<string>, where: string): void {
  for (const name of Object.keys(members)) if (!names.has(name)) refuse(`${where}.${name}`, 'is not one of an actor')
}

/** What else the claims of delegation hold; their form is right. */
function checkActors({ act, may_act }: AccessTokenClaims): void {
  let where = 'act'
  for (let actor = act; actor !== undefined; actor = actor.act) {
    checkNames(actor, ofActor, where)
    where += '.act'
  }
  if (may_act !== undefined) checkNames(may_act, ofMayAct, 'may_act')
}

/** What is no list is refused as it is; what the list holds, by the checks of each. */
function copyList(list: readonly unknown[] | undefined): unknown {
  return Array.isArray(list) ? [...list] : list
}

/** A copy of plain data: what is checked is what is signed, whatever getters the caller's object has. */
function copyClaims(claims: AccessTokenClaims): AccessTokenClaims {
  if (typeof claims !== 'object' || claims === null) {
    throw new TokensError('claims_refused', 'The claims are not an object.')
  }
  for (const name in claims) if (!Object.hasOwn(known, name)) refuse(name, 'is not one of an access token')
  const { iss, sub, aud, exp, iat, nbf, jti, client_id, scope, sid, org_id, anc, via, gen, synthetic } = claims
  const { act, may_act, cnf } = claims
  const copy = {
    iss,
    sub,
    aud,
    exp,
    iat,
    nbf,
    jti,
    client_id,
    scope,
    sid,
    org_id,
    anc: copyList(anc),
    via: copyList(via),
    gen: copyList(gen),
    synthetic,
  }
  if (act !== undefined || may_act !== undefined || cnf !== undefined) {
    Object.assign(copy, JSON.parse(JSON.stringify({ act, may_act, cnf })))
  }
  return copy as AccessTokenClaims
}

function signingInput(claims: AccessTokenClaims, signer: TokenSigner): string {
  const copy = copyClaims(claims)
  const bad = findBadClaim(copy as unknown as Readonly<Record<string, unknown>>, rfc9068)
  if (bad !== undefined || !isScope(copy.scope)) return refuse(bad ?? 'scope', 'is missing or has the wrong form')
  if (!isIdentifier(copy.aud)) return refuse('aud', 'has the wrong form')
  if (!isIdentifier(copy.client_id)) return refuse('client_id', 'is missing or has the wrong form')
  checkActors(copy)
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
