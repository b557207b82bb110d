import type { AccessTokenClaims, ActClaim } from '../claims.ts'
import type { Actor, Principal } from '../principal.ts'
import { type Profile, rfc9068 } from '../profile.ts'
import { findBadClaim, isIdentifier } from './check-claims.ts'
import { reject } from './reject.ts'
import { scopeSet } from './scope-sets.ts'

/** What the claims are held against. */
export interface Expectations {
  readonly issuer: string
  readonly audience: string
  readonly profile: Profile
  readonly toleranceSeconds: number
  readonly maxLifeSeconds: number
}

type Accepted = Partial<AccessTokenClaims> &
  Pick<AccessTokenClaims, 'iss' | 'sub' | 'exp'> & { readonly azp?: string; readonly aud?: string | string[] }

type Mutable<Type> = { -readonly [Name in keyof Type]: Type[Name] }

const none: readonly never[] = Object.freeze([])

function toActor(act: ActClaim): Actor {
  const { sub, client_id, act: inner } = act
  return Object.freeze({
    subject: sub,
    ...(client_id === undefined ? undefined : { clientId: client_id }),
    ...(inner === undefined ? undefined : { actor: toActor(inner) }),
  })
}

function readOrganization(claims: Readonly<Record<string, unknown>>, path: readonly string[]): string | undefined {
  if (path.length === 0) return undefined
  let value: unknown = claims
  for (const name of path) value = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
  if (value === undefined || isIdentifier(value)) return value
  return reject('bad_claims', `claims.${path.join('.')}`, 'The organization is not an identifier.', 'profile')
}

function badClaim(name: string): never {
  return reject('bad_claims', `claims.${name}`, `The claim "${name}" is missing or has the wrong form.`, 'profile')
}

function readClientId(claims: Accepted, { clientId }: Profile): string | undefined {
  for (const name of clientId) {
    if (name === '') return undefined
    const found = claims[name]
    if (found !== undefined) return found
  }
  return reject('bad_claims', `claims.${clientId[0]}`, 'The token does not name its client.', 'profile')
}

function checkKind(claims: Readonly<Record<string, unknown>>, { forbidden, required, refused }: Profile): void {
  for (const name of forbidden) {
    if (Object.hasOwn(claims, name)) {
      reject('wrong_type', `claims.${name}`, `The token has "${name}": it is not an access token.`, 'profile')
    }
  }
  for (const name in refused) {
    if (claims[name] === refused[name]) {
      reject('bad_claims', `claims.${name}`, `The token's "${name}" says that it is not to be used.`, 'profile')
    }
  }
  for (const name in required) {
    if (claims[name] !== required[name]) {
      reject('wrong_type', `claims.${name}`, `The token's "${name}" is not that of an access token.`, 'profile')
    }
  }
}

function checkAudience(claims: Accepted, { audience, profile }: Expectations): void {
  const found = profile.audience === 'azp' ? claims.azp : claims.aud
  if (found === audience || (Array.isArray(found) && found.includes(audience))) return
  const where = profile.audience === 'azp' ? 'claims.azp' : 'claims.aud'
  reject('wrong_audience', where, "The token is not for this verifier's audience.", 'audience')
}

function checkTimes(
  { exp, iat, nbf }: Accepted,
  now: number,
  { toleranceSeconds, maxLifeSeconds }: Expectations,
): void {
  // Not `>=`: a clock that gives no number lets nobody in.
  if (!(now < exp + toleranceSeconds))
    reject('expired', 'claims.exp', 'The token has expired.', 'clockToleranceSeconds')
  if (iat !== undefined) {
    if (exp <= iat) reject('bad_claims', 'claims.exp', 'The token expires before it was issued.')
    if (exp - iat > maxLifeSeconds) reject('bad_claims', 'claims.exp', 'The token lives too long.', 'maxLifeSeconds')
  } else if (exp - now > maxLifeSeconds + toleranceSeconds) {
    reject('bad_claims', 'claims.exp', 'The token lives too long.', 'maxLifeSeconds')
  }
  if (now < notBefore(iat, nbf) - toleranceSeconds) {
    const where = nbf !== undefined && nbf > (iat ?? 0) ? 'claims.nbf' : 'claims.iat'
    reject('not_yet_valid', where, 'The token is not valid yet.', 'clockToleranceSeconds')
  }
}

/** The first second of a token's life. */
export function notBefore(issuedAt: number | undefined, nbf: number | undefined): number {
  return Math.max(issuedAt ?? 0, nbf ?? 0)
}

/**
 * Checks the claims of a token whose signature holds.
 *
 * @param claims deeply frozen
 * @param now Unix seconds
 * @param printable true if the claims were parsed from text whose strings hold printable ASCII only
 */
export function readPrincipal(
  claims: Readonly<Record<string, unknown>>,
  keyId: string,
  now: number,
  expected: Expectations,
  printable = false,
): Principal {
  const { profile } = expected
  // Nothing marks another kind of token there but `typ`, which the header has.
  if (profile !== rfc9068) checkKind(claims, profile)
  const bad = findBadClaim(claims, profile, printable)
  if (bad !== undefined) return badClaim(bad)
  const accepted = claims as unknown as Accepted
  if (accepted.iss !== expected.issuer)
    reject('wrong_issuer', 'claims.iss', 'The token is from another issuer.', 'issuer')
  checkAudience(accepted, expected)
  checkTimes(accepted, now, expected)
  const scopes = scopeSet(accepted.scope ?? '')
  if (scopes === undefined) return badClaim('scope')
  const clientId = readClientId(accepted, profile)
  const organization = profile === rfc9068 ? accepted.org_id : readOrganization(claims, profile.organization)
  const principal: Mutable<Principal> = {
    issuer: accepted.iss,
    subject: accepted.sub,
    audience: expected.audience,
    scopes,
    ancestors: accepted.anc ?? none,
    generations: accepted.gen ?? none,
    keyId,
    expiresAt: accepted.exp,
    claims,
  }
  if (clientId !== undefined) principal.clientId = clientId
  if (accepted.sid !== undefined) principal.session = accepted.sid
  if (organization !== undefined) principal.organization = organization
  if (accepted.act !== undefined) principal.actor = toActor(accepted.act)
  if (accepted.jti !== undefined) principal.tokenId = accepted.jti
  if (accepted.cnf !== undefined) principal.confirmationKey = accepted.cnf.jkt
  if (accepted.iat !== undefined) principal.issuedAt = accepted.iat
  if (profile === rfc9068) {
    if (accepted.via !== undefined) principal.via = accepted.via
    if (accepted.synthetic !== undefined) principal.synthetic = accepted.synthetic
  }
  return Object.freeze(principal)
}
