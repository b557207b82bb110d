import { ConvexProvider, ConvexProviderWithAuth, type ConvexReactClient } from 'convex/react'
import { createContext, type ReactNode, useContext, useEffect, useMemo, useSyncExternalStore } from 'react'
import { AuthError } from '../auth-error.ts'
import type { ClientAuthEvent, ClientAuthStatus } from '../client/status.ts'
import { createHookSource, type HookSource, type UseClerkAuth } from './hook-source.ts'
import { KeptStore } from './kept-store.ts'

export interface ConvexClerkProviderProps {
  readonly client: ConvexReactClient
  /** Clerk's own, of the package that the app uses. */
  readonly useAuth: UseClerkAuth
  /** Of a JWT template, for instances whose session tokens do not carry `aud: "convex"`. @default none */
  readonly template?: string
  /** The one of the first rendering is called. */
  readonly onEvent?: (event: ClientAuthEvent) => void
  readonly children?: ReactNode
}

const KeptContext = createContext<KeptStore | undefined>(undefined)

/**
 * In the place of `ConvexProviderWithClerk`: Convex's own hooks and components work below it, and a session goes
 * through outages of Clerk.
 *
 * @example
 * <ConvexClerkProvider client={convex} useAuth={useAuth}>…</ConvexClerkProvider>
 */
export function ConvexClerkProvider(props: ConvexClerkProviderProps): ReactNode {
  const { client, useAuth, template, onEvent, children } = props
  const seen = useAuth()
  // biome-ignore lint/correctness/useExhaustiveDependencies: an event handler is new at each rendering, and no reason to begin anew
  const [source, store, useBridge] = useMemo(() => {
    const made = createHookSource()
    const options = { ...(template === undefined ? {} : { template }), ...(onEvent === undefined ? {} : { onEvent }) }
    const kept = new KeptStore(client, { source: made, ...options })
    return [made, kept, bridgeTo(kept)] as const
  }, [client, template])
  return (
    <KeptContext.Provider value={store}>
      {/* For Convex's own `useConvexAuth` and `<Authenticated>`; the client that is signed in by it is none. */}
      <ConvexProviderWithAuth client={noClient} useAuth={useBridge}>
        <Keep source={source} store={store} seen={seen} />
        <ConvexProvider client={client}>{children}</ConvexProvider>
      </ConvexProviderWithAuth>
    </KeptContext.Provider>
  )
}

/** The first to be mounted: whoever is here is told to the client before its first query. */
function Keep({ source, store, seen }: { source: HookSource; store: KeptStore; seen: ReturnType<UseClerkAuth> }): null {
  const { isLoaded, isSignedIn, sessionId, userId, orgId, orgRole } = seen
  // biome-ignore lint/correctness/useExhaustiveDependencies: `getToken` may be new at each rendering, which is no news
  useEffect(() => source.tell(seen), [source, isLoaded, isSignedIn, sessionId, userId, orgId, orgRole])
  useEffect(() => store.start(), [store])
  return null
}

const noClient = {
  /** The state that it is called in says that Convex has confirmed. */
  setAuth: (_fetchToken: unknown, onChange: (isAuthenticated: boolean) => void): void => onChange(true),
  clearAuth(): void {},
}

const fetchAccessToken = async (): Promise<null> => null

/** A page that is degraded keeps what it shows, and one that cannot say who is here does not offer to sign in. */
function bridgeTo({ subscribe, getSnapshot, getServerSnapshot }: KeptStore) {
  return function useBridge() {
    const { state } = useSyncExternalStore(subscribe, getSnapshot, getServerSnapshot)
    const isLoading = state === 'loading' || state === 'unavailable'
    const isAuthenticated = state === 'signed-in' || state === 'degraded'
    return useMemo(() => ({ isLoading, isAuthenticated, fetchAccessToken }), [isLoading, isAuthenticated])
  }
}

/** @throws AuthError `bad_option` outside of a {@link ConvexClerkProvider} */
export function useKeptStore(): KeptStore {
  const store = useContext(KeptContext)
  if (store !== undefined) return store
  throw new AuthError('bad_option', 'There is no <ConvexClerkProvider> above this component.')
}

/** Who is signed in, and how that stands; renders anew at each change. */
export function useAuthStatus(): ClientAuthStatus {
  const { subscribe, getSnapshot, getServerSnapshot } = useKeptStore()
  return useSyncExternalStore(subscribe, getSnapshot, getServerSnapshot)
}
