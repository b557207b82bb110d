import { z } from 'zod'
import type { Profile } from '../profile.ts'
import { isScope } from '../scope.ts'

/** Most actors in a row, and most ancestors. */
export const longestChain = 4

const controlOrSurrogate = /[\p{Cc}\p{Cs}]/u
const printableAscii = /^[\x20-\x7e]+$/

/** A non-empty name of at most 512 characters without control characters: it ends up in logs and look-ups. */
export function isIdentifier(text: string): boolean {
  return text.length > 0 && text.length <= 512 && (printableAscii.test(text) || !controlOrSurrogate.test(text))
}

const identifier = z.string().refine(isIdentifier, 'must be 1 to 512 characters without control characters')
/** Whole Unix seconds. */
const instant = z.int().nonnegative()
const scope = z.string().refine(isScope, 'must be scope tokens with one space between')
const thumbprint = z.string().regex(/^[\w-]{42}[AEIMQUYcgkosw048]$/)

function actSchema(depth: number): z.ZodType {
  const act = depth === 1 ? z.undefined() : actSchema(depth - 1)
  return z.object({ sub: identifier, client_id: identifier.optional(), act: act.optional() })
}

const chained = {
  sid: identifier.optional(),
  act: actSchema(longestChain).optional(),
  may_act: z.object({ sub: identifier.optional(), client_id: identifier.optional() }).optional(),
  anc: z.array(identifier).max(longestChain).optional(),
  // Three generations and one for each actor.
  gen: z
    .array(z.int().nonnegative())
    .max(3 + longestChain)
    .optional(),
  // Bound to something that nobody here can ask a proof of: refused rather than treated as a bearer token.
  cnf: z.strictObject({ jkt: thumbprint }).optional(),
}

const own = {
  iss: z.string().min(1).max(2048),
  sub: identifier,
  aud: identifier,
  exp: instant,
  iat: instant,
  nbf: instant.optional(),
  jti: identifier,
  client_id: identifier,
  scope,
  org_id: identifier.optional(),
  ...chained,
}

/** What is signed: nothing but the known claims. */
export const issuedClaims: z.ZodType = z.strictObject(own)

/** What is accepted under a profile; claims that it does not name pass through unread. */
export function acceptedClaims(profile: Profile): z.ZodType {
  const list = z.union([identifier, z.array(identifier).min(1).max(32)])
  const optional = (name: 'jti' | 'iat' | 'scope'): z.ZodType =>
    profile.optional.includes(name) ? own[name].optional() : own[name]
  const needsClientId = profile.clientId.length === 1 && profile.clientId[0] === 'client_id'
  return z.object({
    ...own,
    aud: profile.audience === 'aud' ? identifier : profile.audience === 'azp' ? list.optional() : list,
    jti: optional('jti'),
    iat: optional('iat'),
    scope: optional('scope'),
    client_id: needsClientId ? identifier : identifier.optional(),
    azp: profile.audience === 'azp' ? identifier : identifier.optional(),
  })
}
