// The page of react.test.ts: bundled for the browser, on the real ConvexReactClient and a Clerk of a few lines.

import { Authenticated, AuthLoading, ConvexReactClient, Unauthenticated, useQuery } from 'convex/react'
import { type FunctionReference, makeFunctionReference } from 'convex/server'
import { StrictMode, useState, useSyncExternalStore } from 'react'
import { createRoot } from 'react-dom/client'
import { isAuthError } from '../src/index.ts'
import {
  ConvexClerkProvider,
  useAuthAction,
  useAuthMutation,
  useAuthRenewal,
  useAuthStatus,
} from '../src/react/index.ts'

interface Session {
  readonly id: string
  readonly user_id: string
  readonly last_active_organization_id?: string
}

const list: FunctionReference<
  'query',
  'public',
  Record<never, never>,
  { _id: string; name: string }[]
> = makeFunctionReference('projects:list')
type Rename<Kind extends 'mutation' | 'action'> = FunctionReference<Kind, 'public', { id: string; name: string }>
const renameMutation: Rename<'mutation'> = makeFunctionReference('projects:rename')
const renameAction: Rename<'action'> = makeFunctionReference('projects:renameAction')

const asked = new URLSearchParams(location.search)
const clerkUrl = asked.get('clerk') ?? ''
const convex = new ConvexReactClient(asked.get('convex') ?? '', {
  skipConvexDeploymentUrlCheck: true,
  // Tokens live a few seconds here.
  authRefreshTokenLeewaySeconds: 1,
})
const other = asked.get('other') ?? ''

async function clerkCall(method: string, path: string, body?: object) {
  const response = await fetch(`${clerkUrl}/v1/client${path}`, {
    method,
    credentials: 'include',
    headers: { 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const answer = await response.json()
  if (!response.ok) throw Object.assign(new Error('Clerk refused'), { status: response.status, ...answer })
  return answer.response
}

let session: Session | null | undefined
const listeners = new Set<() => void>()
async function load(): Promise<void> {
  session = (await clerkCall('GET', '')).sessions.at(-1) ?? null
  for (const listener of listeners) listener()
}
void load()

function useAuth() {
  const now = useSyncExternalStore(
    (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    () => session,
  )
  return {
    isLoaded: now !== undefined,
    isSignedIn: now === undefined ? undefined : now !== null,
    sessionId: now?.id,
    userId: now?.user_id,
    orgId: now?.last_active_organization_id,
    getToken: async () => (await clerkCall('POST', `/sessions/${now?.id}/tokens/convex`)).jwt,
  }
}

function Projects() {
  const rows = useQuery(list, {})
  const rename = useAuthMutation(renameMutation)
  const act = useAuthAction(renameAction)
  const renew = useAuthRenewal()
  const [fault, setFault] = useState('none')
  const run = (call: Promise<unknown>) =>
    call.then(
      () => setFault('none'),
      (error: unknown) => setFault(isAuthError(error) ? `${error.code} ${error.reason}` : String(error)),
    )
  const [first] = rows ?? []
  return (
    <main>
      <ul aria-label="Projects">
        {rows?.map(({ _id, name }) => (
          <li key={_id}>{name}</li>
        ))}
      </ul>
      <output aria-label="Fault">{fault}</output>
      <button type="button" onClick={() => run(rename({ id: first?._id ?? '', name: `${first?.name}!` }))}>
        Rename
      </button>
      <button type="button" onClick={() => run(renew().then(() => act({ id: first?._id ?? '', name: 'acted' })))}>
        Act
      </button>
      <button type="button" onClick={() => run(rename({ id: other, name: 'stolen' }))}>
        Rename another
      </button>
      <button
        type="button"
        onClick={() => {
          const active_organization_id = asked.get('second')
          void clerkCall('POST', `/sessions/${session?.id}/touch`, { active_organization_id }).then(load)
        }}
      >
        Switch
      </button>
      <button type="button" onClick={() => void clerkCall('POST', `/sessions/${session?.id}/end`).then(load)}>
        Sign out
      </button>
    </main>
  )
}

function State() {
  return <output aria-label="State">{useAuthStatus().state}</output>
}

// Compiled without a browser's types, like the package.
const { document } = globalThis as unknown as {
  document: { getElementById(id: string): Parameters<typeof createRoot>[0] }
}
createRoot(document.getElementById('root')).render(
  <StrictMode>
    <ConvexClerkProvider client={convex} useAuth={useAuth} template="convex">
      <State />
      <Authenticated>
        <Projects />
      </Authenticated>
      <Unauthenticated>
        <a href={`${clerkUrl}/sign-in?redirect_url=${encodeURIComponent(location.href)}`}>Sign in</a>
      </Unauthenticated>
      <AuthLoading>One moment</AuthLoading>
    </ConvexClerkProvider>
  </StrictMode>,
)
