import {
  type Clock,
  formatScope,
  isRejection,
  isTokensError,
  type Principal,
  type RejectionCode,
  TokenRejected,
} from '@countersign/tokens'
import * as z from 'zod'
import { AuthError } from '../auth-error.ts'
import { readClerkFault } from './clerk-fault.ts'
import type { ClerkVerifierEvent, MachineKind, MachineOptions } from './options.ts'
import { putLast } from './put-last.ts'

type OpaqueKind = Exclude<MachineKind, 'm2m_jwt'>

interface Answer<Verdict> {
  readonly verdict: Verdict
  readonly endsAtMs: number
}

interface OpaqueRules {
  readonly issuer: string
  readonly audience: string | undefined
  readonly machines: MachineOptions
  readonly rememberSeconds: number
  readonly timeoutMs: number
  readonly clock: Clock
  readonly onEvent: ((event: ClerkVerifierEvent) => void) | undefined
}

const prefixes: Readonly<Record<OpaqueKind, string>> = { m2m: 'mt_', api_key: 'ak_' }

/** Most answers of each kind remembered, and most questions under way: beyond those nobody is asked. */
const mostAnswers = 10_000
const mostAsking = 16
/**
 * Of those, and at once and in a second, most about tokens that were never good: whoever makes them up spends neither
 * what is left for the others nor what Clerk allows an instance (100 in a second, of a development one 10).
 */
const mostStrangers = 12
const strangersAtOnce = 100
const strangersPerSecond = 50
const longestToken = 512

/** What Clerk answers, as far as it is used. */
const answerSchema = z.object({
  id: z.string().min(1).max(512),
  subject: z.string().min(1).max(512),
  scopes: z.array(z.string().min(1).max(512)).max(256).nullish(),
  claims: z.record(z.string(), z.unknown()).nullish(),
  revoked: z.boolean(),
  expired: z.boolean(),
  expiration: z.number().nullish(),
  createdAt: z.number(),
})
type ClerkAnswer = z.infer<typeof answerSchema>

export interface OpaqueVerifier {
  /** True for a token of a form that this verifier is for. */
  knows(token: string): boolean
  verify(token: string): Promise<Principal>
}

/** Verifies opaque M2M tokens and API keys by asking Clerk, a token once in `rememberSeconds`. */
export function opaqueVerifier(rules: OpaqueRules): OpaqueVerifier {
  const { machines, rememberSeconds, clock } = rules
  const kinds = machines.kinds.filter((kind) => kind !== 'm2m_jwt')
  const kindOf = (token: string): OpaqueKind | undefined => kinds.find((kind) => token.startsWith(prefixes[kind]))
  /** Good ones stay after their time, to be told from strangers; refused ones never take their room. */
  const good = new Map<string, Answer<Principal>>()
  const bad = new Map<string, Answer<TokenRejected>>()
  const asking = new Map<string, Promise<Principal>>()
  const strangers = strangerLimit(clock)

  const endsAtMs = (): number => clock.monotonicMs() + rememberSeconds * 1000

  const ask = async (token: string, kind: OpaqueKind): Promise<Principal> => {
    try {
      const principal = await askAbout(token, kind, rules)
      report(rules, { type: 'machine_token_asked', kind, outcome: 'good' })
      putLast(good, token, { verdict: principal, endsAtMs: endsAtMs() }, mostAnswers)
      return principal
    } catch (error) {
      const refused = isRejection(error) && error.code !== 'keys_unavailable'
      report(rules, { type: 'machine_token_asked', kind, outcome: refused ? 'refused' : 'failed' })
      if (refused) {
        good.delete(token)
        putLast(bad, token, { verdict: error, endsAtMs: endsAtMs() }, mostAnswers)
      }
      throw error
    }
  }

  return {
    knows: (token) => kindOf(token) !== undefined,
    async verify(token) {
      const kind = kindOf(token)
      if (kind === undefined || token.length > longestToken || !/^[\w-]+$/.test(token)) {
        throw new TokenRejected('malformed', 'The token is not an opaque token of Clerk.', { where: 'token' })
      }
      const nowMs = clock.monotonicMs()
      const known = good.get(token)
      if (known !== undefined && nowMs < known.endsAtMs && clock.now() < known.verdict.expiresAt) return known.verdict
      const refused = bad.get(token)
      if (refused !== undefined && nowMs < refused.endsAtMs) throw refused.verdict
      bad.delete(token)
      const joined = asking.get(token)
      if (joined !== undefined) return joined
      if (asking.size >= mostAsking) throw unavailable('Too many questions to Clerk are under way.')
      const leave = known === undefined ? strangers.enter() : undefined
      const question = ask(token, kind).finally(() => {
        asking.delete(token)
        leave?.()
      })
      asking.set(token, question)
      return question
    },
  }
}

/** Lets in so many at once, and so many in a second. */
function strangerLimit(clock: Clock): { enter(): () => void } {
  let inside = 0
  let left = strangersAtOnce
  let countedAtMs = clock.monotonicMs()
  return {
    enter() {
      const nowMs = clock.monotonicMs()
      left = Math.min(strangersAtOnce, left + ((nowMs - countedAtMs) / 1000) * strangersPerSecond)
      countedAtMs = nowMs
      if (inside >= mostStrangers || left < 1) throw unavailable('Too many unknown tokens are asked about.')
      inside += 1
      left -= 1
      return () => {
        inside -= 1
      }
    },
  }
}

async function askAbout(token: string, kind: OpaqueKind, rules: OpaqueRules): Promise<Principal> {
  const { client } = rules.machines
  if (client === undefined) throw new AuthError('bad_option', 'clerkVerifier: opaque tokens need `machines.client`.')
  const question: Promise<unknown> = kind === 'm2m' ? client.m2m.verify({ token }) : client.apiKeys.verify(token)
  let answer: unknown
  try {
    answer = await withinTime(question, rules)
  } catch (cause) {
    if (isRejection(cause)) throw cause
    throw toRejection(cause)
  }
  const parsed = answerSchema.safeParse(answer)
  if (!parsed.success) throw unavailable('Clerk answered something else than a token.')
  return toPrincipal(parsed.data, kind, rules)
}

function withinTime(question: Promise<unknown>, { clock, timeoutMs }: OpaqueRules): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(timeoutMs, () => reject(unavailable('Clerk did not answer in time.')))
    question.then(resolve, reject).finally(cancel)
  })
}

/** A refusal of the token is the caller's, of our own key it is ours; all else is an outage. */
function toRejection(cause: unknown): Error {
  const fault = readClerkFault(cause)
  if (fault.code === 'clerk_unavailable') return unavailable('Clerk could not be asked about the token.', cause)
  const { status } = fault
  if (status === 400 || status === 404 || status === 422) {
    return new TokenRejected('bad_signature', 'Clerk knows no such token.', { where: 'token', cause })
  }
  return fault
}

function toPrincipal(answer: ClerkAnswer, kind: OpaqueKind, rules: OpaqueRules): Principal {
  const { id, subject, scopes, claims, revoked, expired, expiration, createdAt } = answer
  const now = rules.clock.now()
  const endsAt = expiration == null ? Number.POSITIVE_INFINITY : expiration / 1000
  if (revoked) refuse('revoked', 'The token was revoked.', 'token')
  if (expired || now >= endsAt) refuse('expired', 'The token has expired.', 'token')
  const owners = kind === 'm2m' ? /^mch_/ : /^(user|org)_/
  if (!owners.test(subject)) refuse('wrong_type', 'The token is of another kind.', 'claims.sub')
  const { audience } = rules
  const named: unknown[] = [claims?.aud ?? []].flat()
  // An API key is its owner's, for every service; a machine's token is for the services that it names.
  const isOurs = named.includes(audience) || (kind === 'api_key' && named.length === 0)
  if (!isOurs) refuse('wrong_audience', 'The token is for another service.', 'claims.aud')
  return Object.freeze({
    issuer: rules.issuer,
    subject,
    ...(kind === 'm2m' ? { clientId: subject } : {}),
    audience: audience ?? rules.issuer,
    scopes: readScopes(scopes ?? []),
    ...(subject.startsWith('org_') ? { organization: subject } : {}),
    tokenId: id,
    ancestors: [],
    generations: [],
    keyId: prefixes[kind],
    issuedAt: Math.floor(createdAt / 1000),
    // Never longer than Clerk's answer holds: sockets that are watched then ask anew.
    expiresAt: Math.min(endsAt, now + Math.max(rules.rememberSeconds, 1)),
    claims: Object.freeze({ ...claims, iss: rules.issuer, sub: subject, jti: id }),
  })
}

/** Owners name the scopes of their keys: with a space in it, one would be two for whoever joins them. */
function readScopes(scopes: readonly string[]): ReadonlySet<string> {
  try {
    formatScope(scopes)
    return new Set(scopes)
  } catch (error) {
    if (!isTokensError(error)) throw error
    return refuse('bad_claims', 'The scopes of the token are not scopes.', 'claims.scopes')
  }
}

function refuse(code: RejectionCode, message: string, where: string): never {
  throw new TokenRejected(code, message, { where })
}

function unavailable(message: string, cause?: unknown): TokenRejected {
  return new TokenRejected('keys_unavailable', message, { where: 'token', ...(cause === undefined ? {} : { cause }) })
}

function report({ onEvent }: OpaqueRules, event: ClerkVerifierEvent): void {
  try {
    onEvent?.(event)
  } catch {
    // An observer's fault is not the caller's.
  }
}
