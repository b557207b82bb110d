import { type Profile, rfc9068 } from '../profile.ts'

/** Most actors in a row, and most ancestors. */
export const longestChain = 4

/** Most parties beyond those: each exchange adds a client and a user at most. */
export const mostParties: number = 2 * longestChain

/** Most audiences of a foreign token. */
const mostAudiences = 32

const printableAscii = /^[\x20-\x7e]+$/
const controlOrSurrogate = /[\p{Cc}\p{Cs}]/u
const thumbprint = /^[\w-]{42}[AEIMQUYcgkosw048]$/

type Members = Readonly<Record<string, unknown>>

/** Longest name, in characters. */
const longestName = 512

/** A non-empty name of at most 512 characters without control characters: it ends up in logs and look-ups. */
export function isIdentifier(value: unknown): value is string {
  if (typeof value !== 'string' || value.length > longestName) return false
  return printableAscii.test(value) || (value !== '' && !controlOrSurrogate.test(value))
}

/** The same of a value parsed from text whose strings hold printable ASCII only. */
function isPrintableIdentifier(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= longestName
}

/** Whole Unix seconds. */
function isInstant(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0
}

function isMembers(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isOptional(value: unknown, check: (value: unknown) => boolean): boolean {
  return value === undefined || check(value)
}

function isActor(value: unknown, depth = 1): boolean {
  if (!isMembers(value) || depth > longestChain) return false
  const { sub, client_id, act } = value
  return isIdentifier(sub) && isOptional(client_id, isIdentifier) && (act === undefined || isActor(act, depth + 1))
}

function isMayAct(value: unknown): boolean {
  return isMembers(value) && isOptional(value.sub, isIdentifier) && isOptional(value.client_id, isIdentifier)
}

function isAncestors(value: unknown): boolean {
  return Array.isArray(value) && value.length <= longestChain && value.every(isIdentifier)
}

function isParties(value: unknown): boolean {
  return Array.isArray(value) && value.length <= mostParties && value.every(isIdentifier)
}

/** Three generations, and one more for each actor and each further party. */
function isGenerations(value: unknown): boolean {
  if (!Array.isArray(value) || value.length > 3 + longestChain + mostParties) return false
  for (const generation of value) if (!isInstant(generation)) return false
  return true
}

/** Bound to something else than a JWK thumbprint: nobody here can ask a proof of that, and a bearer token it is not. */
function isConfirmation(value: unknown): boolean {
  if (!isMembers(value) || typeof value.jkt !== 'string') return false
  return thumbprint.test(value.jkt) && Object.keys(value).length === 1
}

function isAudience(value: unknown, profile: Profile): boolean {
  if (typeof value === 'string') return true
  if (profile.audience === 'aud') return false
  if (value === undefined) return profile.audience === 'azp'
  return Array.isArray(value) && value.length <= mostAudiences && value.every(isIdentifier)
}

/** The claims that come with delegation, sessions and binding; all of them optional. */
function findBadExtra(claims: Members, isName: (value: unknown) => boolean): string | undefined {
  const { sid, org_id, act, may_act, anc, gen, cnf, nbf } = claims
  if (nbf !== undefined && !isInstant(nbf)) return 'nbf'
  if (sid !== undefined && !isName(sid)) return 'sid'
  if (org_id !== undefined && !isName(org_id)) return 'org_id'
  if (act !== undefined && !isActor(act)) return 'act'
  if (may_act !== undefined && !isMayAct(may_act)) return 'may_act'
  if (anc !== undefined && !isAncestors(anc)) return 'anc'
  if (gen !== undefined && !isGenerations(gen)) return 'gen'
  if (cnf !== undefined && !isConfirmation(cnf)) return 'cnf'
  return undefined
}

/** Claims that mean this only where we issued them. */
function findBadOwn({ via, synthetic }: Members): string | undefined {
  if (via !== undefined && !isParties(via)) return 'via'
  return synthetic === undefined || synthetic === true ? undefined : 'synthetic'
}

/**
 * The first claim that is missing or has the wrong type (RFC 9068 section 2.2, RFC 7519 section 4.1), if any; what a
 * `scope` holds is the caller's to check. By hand:
 * a schema library takes 2 µs for it, the whole verification without the signature hardly more.
 *
 * @param printable true if the claims were parsed from text whose strings hold printable ASCII only
 */
export function findBadClaim(claims: Members, profile: Profile, printable = false): string | undefined {
  const { iss, sub, aud, exp, iat, jti, client_id, azp, scope } = claims
  const { optional } = profile
  const isName = printable ? isPrintableIdentifier : isIdentifier
  if (typeof iss !== 'string' || iss === '') return 'iss'
  if (!isName(sub)) return 'sub'
  if (!isAudience(aud, profile)) return 'aud'
  if (!isInstant(exp)) return 'exp'
  if (iat === undefined ? !optional.includes('iat') : !isInstant(iat)) return 'iat'
  if (jti === undefined ? !optional.includes('jti') : !isName(jti)) return 'jti'
  if (client_id !== undefined && !isName(client_id)) return 'client_id'
  if (azp === undefined ? profile.audience === 'azp' : !isName(azp)) return 'azp'
  if (scope === undefined ? !optional.includes('scope') : typeof scope !== 'string') return 'scope'
  return findBadExtra(claims, isName) ?? (profile === rfc9068 ? findBadOwn(claims) : undefined)
}
