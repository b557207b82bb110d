import { type ActClaim, type Actor, isRejection, type Principal } from '@countersign/tokens'
import type { Context } from '../context.ts'
import { newId } from '../random.ts'
import { refusal } from '../refusals.ts'
import type { OwnTokens } from '../verify-own.ts'
import { organizationParty } from './foreign-parties.ts'
import type { DeclaredVerifier } from './policy.ts'
import type { ExchangeRefusal } from './refuse.ts'

/** What a presented token is worth here, whoever issued it. */
export interface PresentedToken {
  /** The audience of the matrix that it was sent to. */
  readonly from: string
  readonly subject: string
  readonly scopes: ReadonlySet<string>
  readonly session: string
  readonly organization?: string
  readonly actor?: ActClaim
  /** Of its actors, outermost first. */
  readonly actorGenerations: readonly number[]
  readonly via: readonly string[]
  readonly viaGenerations: readonly number[]
  /** `[global, client, subject]`. */
  readonly generations: readonly [global: number, client: number, subject: number]
  /** Unix seconds, whole. */
  readonly expiresAt: number
  /** Who may act for the subject (RFC 8693 section 4.4), as it came. */
  readonly mayAct?: unknown
  readonly synthetic: boolean
  /** Of a token of ours. */
  readonly own?: { readonly tokenId: string; readonly clientId: string; readonly ancestors: readonly string[] }
}

export type Reading = PresentedToken | ExchangeRefusal

/** Longest id in a token. */
const longestId = 512

/**
 * Verifies a presented token: ours by our own keys, another issuer's by its declared verifier. Neither looks into the
 * store.
 */
export async function readPresented(context: Context, own: OwnTokens, token: string): Promise<Reading> {
  const known = recallOwn(context, own, token)
  if (known !== undefined) return known
  const claimed = own.claimed(token)
  if (claimed === undefined) return 'malformed'
  const foreign = context.subjectVerifiers.get(claimed.issuer)
  if (foreign === undefined && claimed.issuer !== context.issuer) return 'unknown_issuer'
  try {
    const principal =
      foreign === undefined
        ? await own.verify(token, claimed.audience)
        : await (foreign.verifier.recall?.(token) ?? foreign.verifier.verify(token))
    if (principal.confirmationKey !== undefined || principal.claims.cnf !== undefined) return 'sender_bound'
    if (Math.floor(principal.expiresAt) <= context.now()) return 'expired'
    if (foreign === undefined) return readOwn(principal)
    if (principal.issuer !== claimed.issuer) return 'wrong_issuer'
    return readForeign(principal, foreign, await context.stores.globalGeneration())
  } catch (error) {
    if (!isRejection(error)) throw error
    if (error.code === 'keys_unavailable') throw refusal('keys_failed', { retryAfterSeconds: 1, cause: error })
    return error.code
  }
}

/** A service exchanges one token for several of its calls: what was verified need not even be parsed again. */
function recallOwn(context: Context, own: OwnTokens, token: string): Reading | undefined {
  try {
    const principal = own.recall(token)
    if (principal === undefined || principal.expiresAt <= context.now()) return undefined
    return principal.confirmationKey === undefined ? readOwn(principal) : 'sender_bound'
  } catch (error) {
    if (!isRejection(error)) throw error
    return error.code === 'keys_unavailable' ? undefined : error.code
  }
}

function readOwn(principal: Principal): Reading {
  const { tokenId, clientId, session, organization, generations, via = [], claims } = principal
  const depth = depthOf(principal.actor)
  const [global, client, subject] = generations
  if (tokenId === undefined || clientId === undefined || session === undefined) return 'bad_claims'
  if (global === undefined || client === undefined || subject === undefined) return 'bad_claims'
  if (generations.length !== 3 + depth + via.length) return 'bad_claims'
  return {
    from: principal.audience,
    subject: principal.subject,
    scopes: principal.scopes,
    session,
    ...(organization === undefined ? undefined : { organization }),
    ...(principal.actor === undefined ? undefined : { actor: claimOf(principal.actor, '') }),
    actorGenerations: generations.slice(3, 3 + depth),
    via,
    viaGenerations: generations.slice(3 + depth),
    generations: [global, client, subject],
    expiresAt: principal.expiresAt,
    mayAct: claims.may_act,
    synthetic: principal.synthetic === true,
    own: { tokenId, clientId, ancestors: principal.ancestors },
  }
}

/** Everybody that another issuer names is put under its name here: none of them can be one of ours. */
function readForeign(
  principal: Principal,
  { name, audience, scopes, grants }: DeclaredVerifier,
  global: number,
): Reading {
  const { session, organization, actor, claims } = principal
  const prefix = `${name}:`
  const subject = prefix + principal.subject
  const depth = depthOf(actor)
  const chosen = organization === undefined ? [] : [organizationParty(name, organization)]
  const ids = [subject, prefix + (session ?? ''), ...chosen, ...idsOf(actor, prefix)]
  if (ids.some((id) => id.length > longestId)) return 'bad_claims'
  // What has ended there is told by an instant: the generation of whom it names is when it was issued.
  const issuedAt = Math.max(0, Math.floor(principal.issuedAt ?? 0))
  const via = [...new Set([...chosen, ...actorsOf(actor, prefix)])]
  const granted = grants === undefined ? scopes : new Set([...grants(principal)].filter((scope) => scopes.has(scope)))
  return {
    from: audience,
    subject,
    scopes: granted,
    session: session === undefined ? newId() : prefix + session,
    ...(organization === undefined ? undefined : { organization: prefix + organization }),
    ...(actor === undefined ? undefined : { actor: claimOf(actor, prefix) }),
    // Whoever is not ours has no generation here; the issuer itself has.
    actorGenerations: new Array<number>(depth).fill(0),
    via,
    viaGenerations: new Array<number>(via.length).fill(issuedAt),
    generations: [global, 0, issuedAt],
    expiresAt: Math.floor(principal.expiresAt),
    mayAct: claims.may_act,
    synthetic: principal.synthetic === true,
  }
}

function depthOf(actor: { readonly actor?: Actor } | undefined): number {
  let depth = 0
  for (let one = actor as Actor | undefined; one !== undefined; one = one.actor) depth += 1
  return depth
}

function idsOf(actor: Actor | undefined, prefix: string): string[] {
  return actor === undefined
    ? []
    : [prefix + actor.subject, prefix + (actor.clientId ?? ''), ...idsOf(actor.actor, prefix)]
}

function actorsOf(actor: Actor | undefined, prefix: string): string[] {
  return actor === undefined ? [] : [prefix + actor.subject, ...actorsOf(actor.actor, prefix)]
}

function claimOf({ subject, clientId, actor }: Actor, prefix: string): ActClaim {
  return {
    sub: prefix + subject,
    ...(clientId === undefined ? undefined : { client_id: prefix + clientId }),
    ...(actor === undefined ? undefined : { act: claimOf(actor, prefix) }),
  }
}
