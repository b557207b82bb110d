import type { ClerkSessionState, ClerkSource } from '@countersign/clerk-convex/client'

/** What the page asks of Clerk. With a real instance: `clerkJs(window.Clerk)`, and Clerk's own components. */
export interface Clerk {
  readonly source: ClerkSource
  readonly person: string
  readonly organizations: readonly { readonly id: string; readonly name: string }[]
  signInUrl(): string
  signOut(): Promise<void>
  chooseOrganization(id: string): Promise<void>
  /** Clerk's reverification. */
  prove(): Promise<void>
}

interface Membership {
  readonly role: string
  readonly organization: { readonly id: string; readonly name: string }
}

interface Session {
  readonly id: string
  readonly user_id: string
  readonly last_active_organization_id?: string
  readonly user: {
    readonly first_name: string | null
    readonly organization_memberships: readonly Membership[]
  }
}

/** Between two tries to load, in milliseconds. */
const retryMs = 1_500

/** As much of Clerk's browser SDK as this page needs, on the Frontend API of the stand-in. */
export function standInClerk(url: string): Clerk {
  const listeners = new Set<() => void>()
  let session: Session | undefined
  let isLoaded = false

  const ask = async (method: string, path: string, body?: object, signal?: AbortSignal): Promise<unknown> => {
    const response = await fetch(`${url}/v1/client${path}`, {
      method,
      credentials: 'include',
      ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      ...(signal === undefined ? {} : { signal }),
    })
    const said: { response?: unknown; errors?: unknown } = await response.json()
    // In the form that Clerk's SDK throws it.
    if (!response.ok) throw Object.assign(new Error('Clerk refused.'), { status: response.status, errors: said.errors })
    return said.response
  }

  const load = async (): Promise<void> => {
    const client = (await ask('GET', '')) as { readonly sessions: readonly Session[] }
    session = client.sessions[0]
    isLoaded = true
    for (const listener of [...listeners]) listener()
  }
  const loadUntilThere = (): void => {
    load().catch(() => setTimeout(loadUntilThere, retryMs))
  }
  const act = async (action: string, body: object = {}): Promise<void> => {
    await ask('POST', `/sessions/${session?.id}/${action}`, body)
    await load()
  }
  loadUntilThere()

  return {
    source: {
      current(): ClerkSessionState {
        const org = session?.last_active_organization_id
        const own = session?.user.organization_memberships.find(({ organization }) => organization.id === org)
        return { isLoaded, sessionId: session?.id, userId: session?.user_id, orgId: org, orgRole: own?.role }
      },
      subscribe(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
      async getToken({ signal }) {
        const { jwt } = (await ask('POST', `/sessions/${session?.id}/tokens`, {}, signal)) as { readonly jwt: string }
        return jwt
      },
    },
    get person() {
      return session?.user.first_name ?? ''
    },
    get organizations() {
      return session?.user.organization_memberships.map(({ organization }) => organization) ?? []
    },
    signInUrl: () => `${url}/sign-in?redirect_url=${encodeURIComponent(location.href)}`,
    signOut: () => act('end'),
    chooseOrganization: (id) => act('touch', { active_organization_id: id }),
    prove: () => act('verify'),
  }
}
