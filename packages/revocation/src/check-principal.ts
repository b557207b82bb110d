import type { Actor, Principal } from '@countersign/tokens'
import type { EntrySet } from './internal/entry-set.ts'

/** By what a token is revoked. */
export type RevokedBy = 'kid' | 'global' | 'client' | 'subject' | 'sid' | 'jti'

/** The check of every token, in the order in which it says why. */
export function checkPrincipal(
  principal: Principal,
  set: EntrySet,
  isKeyRevoked: (kid: string) => boolean,
): RevokedBy | undefined {
  if (isKeyRevoked(principal.keyId)) return 'kid'
  const { generations } = principal
  if (set.everybody !== undefined && isBelow(generations[0], set.everybody.min)) return 'global'
  if (isClientRevoked(principal, set)) return 'client'
  if (isBelow(generations[2], set.minOf('u', principal.subject))) return 'subject'
  if (principal.via !== undefined) {
    const party = partyRevoked(principal.via, generations, set)
    if (party !== undefined) return party
  }
  if (principal.session !== undefined && set.minOf('s', principal.session) >= 0) return 'sid'
  if (principal.tokenId !== undefined && set.minOf('j', principal.tokenId) >= 0) return 'jti'
  for (const id of principal.ancestors) if (set.minOf('j', id) >= 0) return 'jti'
  return undefined
}

/** The client itself, and every one that acts: theirs are the generations from the fourth on, outermost first. */
function isClientRevoked({ clientId, actor, generations }: Principal, set: EntrySet): boolean {
  if (clientId !== undefined && isBelow(generations[1], set.minOf('c', clientId))) return true
  let at = 3
  for (let one: Actor | undefined = actor; one !== undefined; one = one.actor, at++) {
    if (isBelow(generations[at], set.minOf('c', one.clientId ?? one.subject))) return true
  }
  return false
}

/**
 * Clients and users of the tokens before this one, and what an actor showed: its session, its token. Theirs are the last
 * generations, in the order of `via`; no two kinds share an id.
 */
function partyRevoked(
  via: readonly string[],
  generations: readonly number[],
  set: EntrySet,
): 'client' | 'subject' | 'sid' | 'jti' | undefined {
  const from = generations.length - via.length
  for (const [index, id] of via.entries()) {
    const generation = generations[from + index]
    if (isBelow(generation, set.minOf('c', id))) return 'client'
    if (isBelow(generation, set.minOf('u', id))) return 'subject'
    if (set.minOf('s', id) >= 0) return 'sid'
    if (set.minOf('j', id) >= 0) return 'jti'
  }
  return undefined
}

/** A token that does not say its generation is of none: whatever was revoked by generation, it was too. */
function isBelow(generation: number | undefined, min: number): boolean {
  return min >= 0 && (generation ?? -1) < min
}
