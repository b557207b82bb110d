import type { WebhookEvent } from '@clerk/backend/webhooks'
import type { Principal } from '@countersign/tokens'
import { AuthError, isAuthError } from '../auth-error.ts'
import type { ClerkClaims } from '../claims.ts'
import { type ClerkVerifier, clerkVerifier } from './clerk-verifier.ts'
import { type ClerkVerifierOptions, resolveNumbers } from './options.ts'
import { endOf } from './webhook-end.ts'
import type { WebhookLedger } from './webhook-ledger.ts'
import { clerkWebhooks } from './webhooks.ts'

/** What has ended at Clerk, as a token service takes it (`ForeignEnd` of `@countersign/issuer`). */
export type ClerkEnd =
  | { readonly type: 'session'; readonly id: string }
  | {
      readonly type: 'subject' | 'organization'
      readonly id: string
      /** Tokens with an `iat` up to this, in Unix seconds; absent: all, for good. */
      readonly issuedUntil?: number
    }

/** One of `subjectVerifiers` of a token service: its tokens may be exchanged there (RFC 8693). */
export interface ClerkSubjects {
  readonly name: string
  readonly issuer: string
  /** Close it when the token service has ended, where its keys are discovered. */
  readonly verifier: ClerkVerifier
  readonly audience: string
  readonly scopes: readonly string[]
  readonly grants: (principal: Principal) => Iterable<string>
  readonly longestLifeSeconds: number
  /** Takes Clerk's webhooks, at `POST /issuers/NAME/events` of the token service. */
  readonly events?: (request: Request, end: (ended: ClerkEnd) => Promise<void>) => Promise<Response>
}

export interface ClerkSubjectsOptions extends Omit<ClerkVerifierOptions, 'machines' | 'scopes'> {
  /** People are called by it, a colon and Clerk's id, so that nobody is taken for one of yours. @default 'clerk' */
  readonly name?: string
  /** The audience of the consumer matrix that the sessions are sent to: its edges say where they lead. */
  readonly sentTo: string
  /** Of that audience's scopes, those that a session may have at most. */
  readonly scopes: readonly string[]
  /**
   * Which of them this session has: by its organisation, or by its permissions there.
   *
   * @default all of them
   * @example Permissions that are named like scopes
   * grants: ({ organization }) => organization?.permissions.map((one) => one.replace(/^org:/, '')) ?? []
   */
  readonly grants?: (claims: ClerkClaims) => readonly string[]
  /**
   * `whsec_…` of the webhook endpoint, 1 to 4: what has ended at Clerk ends what came of it. Without them a token lives
   * until its session token would have ended.
   *
   * @default none
   */
  readonly signingSecrets?: readonly string[]
  /** `ins_…`: webhooks of another instance are refused, were they signed with a secret of this endpoint. @default any */
  readonly instance?: string
}

/** An end may be told twice and in any order: each says for itself what it ends, and nothing is taken back. */
const anyOrder: WebhookLedger = { begin: async () => 'new', forget: async () => {} }

/**
 * Clerk's sessions as subjects of token exchange: verified like everywhere ({@link clerkVerifier}), worth the scopes that
 * are declared, and ended by Clerk's webhooks with all that came of them.
 *
 * A token of a JWT template names no session, so where there is an `audience`, the end of a session ends what its person
 * had until then.
 *
 * @throws AuthError `bad_option`
 *
 * @example In `countersign.config.ts`
 * subjectVerifiers: [clerkSubjects({ issuer, authorizedParties, signingSecrets, sentTo: 'mcp-bridge', scopes: ['tasks:run'] })]
 */
export function clerkSubjects(options: ClerkSubjectsOptions): ClerkSubjects {
  const { name = 'clerk', sentTo, scopes, grants, signingSecrets, instance, ...verification } = options
  if (scopes.length === 0) throw new AuthError('bad_option', 'clerkSubjects: "scopes" must name at least one.')
  const allowed = new Set(scopes)
  const verifier = clerkVerifier({
    ...verification,
    scopes: (claims) => (grants === undefined ? scopes : grants(claims).filter((scope) => allowed.has(scope))),
  })
  return {
    name,
    issuer: options.issuer,
    verifier,
    audience: sentTo,
    scopes,
    grants: (principal) => principal.scopes,
    longestLifeSeconds: resolveNumbers(verification).maxLifeSeconds,
    ...(signingSecrets === undefined
      ? {}
      : { events: eventsOf({ signingSecrets, instance }, options.audience !== undefined) }),
  }
}

function eventsOf(
  { signingSecrets, instance }: { readonly signingSecrets: readonly string[]; readonly instance: string | undefined },
  withoutSession: boolean,
): NonNullable<ClerkSubjects['events']> {
  const webhooks = clerkWebhooks({
    signingSecrets,
    ledger: anyOrder,
    ...(instance === undefined ? {} : { instance }),
  })
  return async (request, end) => {
    try {
      await webhooks.receive(request, async (event) => {
        for (const ended of endsOf(event, withoutSession)) await end(ended)
      })
      return new Response(null, { status: 204 })
    } catch (error) {
      if (isAuthError(error) && error.code === 'bad_webhook') return new Response(null, { status: 400 })
      throw error
    }
  }
}

/** @param withoutSession whether tokens of templates are accepted, which name their person only */
function endsOf(event: WebhookEvent, withoutSession: boolean): readonly ClerkEnd[] {
  const until = endOf(event)
  if (until === undefined) return []
  const issuedUntil = Number.isFinite(until) ? { issuedUntil: until } : {}
  const data = event.data as unknown as Readonly<Record<string, unknown>>
  switch (event.type.split('.')[0]) {
    case 'session': {
      const person = withoutSession ? idOf(data.user_id) : []
      const before = Math.floor(event.timestamp / 1000)
      return [
        ...idOf(data.id).map((id) => ({ type: 'session', id }) as const),
        ...person.map((id) => ({ type: 'subject', id, issuedUntil: before }) as const),
      ]
    }
    case 'organization':
      return idOf(data.id).map((id) => ({ type: 'organization', id, ...issuedUntil }))
    case 'organizationMembership': {
      // A role is of one organisation, and the next token of the same person says what is left of it.
      const person = data.public_user_data as { readonly user_id?: unknown } | null | undefined
      return idOf(person?.user_id).map((id) => ({ type: 'subject', id, ...issuedUntil }))
    }
    default:
      return idOf(data.id).map((id) => ({ type: 'subject', id, ...issuedUntil }))
  }
}

function idOf(value: unknown): readonly string[] {
  return typeof value === 'string' && value !== '' ? [value] : []
}
