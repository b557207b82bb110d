import { type ClerkSessionState, type ClerkSource, clerkPatienceMs } from '../client/source.ts'

/** Clerk's `useAuth`, of whichever of its React packages; only what is used of it. */
export type UseClerkAuth = () => {
  readonly isLoaded: boolean
  readonly isSignedIn?: boolean | undefined
  readonly sessionId?: string | null | undefined
  readonly userId?: string | null | undefined
  readonly orgId?: string | null | undefined
  readonly orgRole?: string | null | undefined
  getToken(options: { template?: string; skipCache?: boolean }): Promise<string | null>
}

/** What a hook said at the last rendering, as a source. */
export interface HookSource extends ClerkSource {
  tell(seen: ReturnType<UseClerkAuth>): void
}

export function createHookSource(): HookSource {
  const listeners = new Set<() => void>()
  let getToken: ReturnType<UseClerkAuth>['getToken'] = async () => null
  let state: ClerkSessionState = { isLoaded: false }
  return {
    current: () => state,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    getToken: ({ skipCache, template }) => getToken({ skipCache, ...(template === undefined ? {} : { template }) }),
    patienceMs: clerkPatienceMs,
    tell({ isLoaded, isSignedIn, sessionId, userId, orgId, orgRole, getToken: latest }) {
      getToken = latest
      // A session that is pending is none.
      state = isSignedIn === false ? { isLoaded, sessionId: null } : { isLoaded, sessionId, userId, orgId, orgRole }
      for (const listener of [...listeners]) listener()
    },
  }
}
