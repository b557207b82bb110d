/** Who is here, as Clerk sees it now. */
export interface ClerkSessionState {
  /** False until Clerk knows: nobody is signed in or out by that. */
  readonly isLoaded: boolean
  /** Absent when nobody is signed in, which only counts once it is loaded. */
  readonly sessionId?: string | null | undefined
  readonly userId?: string | null | undefined
  /** The organisation that is chosen. */
  readonly orgId?: string | null | undefined
  /** Another one asks for a fresh token. */
  readonly orgRole?: string | null | undefined
}

export interface GetTokenOptions {
  /** True asks for a token that is made now. */
  readonly skipCache: boolean
  /** Of a JWT template. */
  readonly template?: string
  /** Ends when the answer is not wanted any more; Clerk's own `getToken` takes no notice. */
  readonly signal: AbortSignal
}

/** Where sessions and tokens come from: Clerk's browser SDK ({@link clerkJs}), React's `useAuth`, or a page's own. */
export interface ClerkSource {
  current(): ClerkSessionState
  /** Calls back at each change of {@link current}; the returned function ends that. */
  subscribe(listener: () => void): () => void
  /**
   * A token of the session that {@link current} names. It may reject or answer null for any reason and nobody is signed
   * out, unless the error is Clerk's 401 (`{ status: 401, errors: [{ code }] }`, see {@link isSessionEnd}).
   */
  getToken(options: GetTokenOptions): Promise<string | null | undefined>
  /** Milliseconds that a call may take before another is begun beside it. @default 2500 */
  readonly patienceMs?: number
}

/** The part of Clerk's browser SDK, `window.Clerk`, that is used. */
export interface ClerkJs {
  readonly loaded: boolean
  readonly session?: ClerkJsSession | null | undefined
  readonly organization?: { readonly id: string } | null | undefined
  readonly user?: { readonly id: string } | null | undefined
  addListener(listener: () => void): () => void
}

export interface ClerkJsSession {
  readonly id: string
  readonly lastActiveOrganizationId?: string | null
  getToken(options: { skipCache?: boolean; template?: string }): Promise<string | null>
}

/**
 * Clerk's SDK tries again by itself, after 3 and 4.7 s and then ever more seldom for three minutes. One more call each
 * 10.5 s keeps the gap between two tries below 5 s without asking more often than needed.
 */
export const clerkPatienceMs = 10_500

/**
 * Clerk's browser SDK as a source.
 *
 * @example
 * keepAuthenticated(client, { source: clerkJs(window.Clerk), template: 'convex' })
 */
export function clerkJs(clerk: ClerkJs): ClerkSource {
  return {
    current() {
      const { loaded, session, organization, user } = clerk
      return {
        isLoaded: loaded && session !== undefined,
        sessionId: session?.id,
        userId: user?.id,
        orgId: organization?.id ?? session?.lastActiveOrganizationId,
      }
    },
    subscribe: (listener) => clerk.addListener(() => listener()),
    async getToken({ skipCache, template }) {
      return clerk.session?.getToken({ skipCache, ...(template === undefined ? {} : { template }) })
    },
    patienceMs: clerkPatienceMs,
  }
}

const endedUsers: ReadonlySet<unknown> = new Set(['user_banned', 'user_deactivated'])

/**
 * Whether Clerk itself said that the session is over: a 401, or a 403 for a banned user, with one of Clerk's codes. An
 * answer without a code is of something that stands between, a captive portal or a proxy, and says nothing.
 */
export function isSessionEnd(error: unknown): boolean {
  if (typeof error !== 'object' || error === null || !('status' in error) || !('errors' in error)) return false
  const { status, errors } = error
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined
  const code = typeof first === 'object' && first !== null && 'code' in first ? first.code : undefined
  if (typeof code !== 'string' || code === 'requires_captcha') return false
  return status === 401 || (status === 403 && endedUsers.has(code))
}
