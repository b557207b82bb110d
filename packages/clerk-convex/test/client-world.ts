import { ConvexClient } from 'convex/browser'
import { ConvexReactClient } from 'convex/react'
import { afterEach } from 'vitest'
import { clerkProvider } from '../src/auth-config/index.ts'
import {
  type AuthenticatedClient,
  type ClerkSessionState,
  type ClerkSource,
  type ClientAuthEvent,
  type KeepAuthenticatedOptions,
  keepAuthenticated,
} from '../src/client/index.ts'
import { convexLoopback, type FakeClerk, fakeClerk, type TokenOptions } from '../src/testing/index.ts'
import { testClock } from './clock.ts'
import { api } from './convex/_generated/api.ts'
import { issuer } from './convex/auth.ts'
import { createWorld, modules } from './convex-world.ts'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})
export const atEnd = (end: () => unknown): void => void ends.push(end)

/** A page's own Clerk: asks the stand-in over the network, so that its outages are felt. */
export interface PageClerk extends ClerkSource {
  /** What the page learns of who is here. */
  tell(state: Partial<ClerkSessionState>): void
  /** Tokens that were asked for: true for fresh ones. */
  readonly asked: boolean[]
  options: TokenOptions
}

export function pageClerk(clerk: FakeClerk, first: ClerkSessionState): PageClerk {
  let state = first
  const listeners = new Set<() => void>()
  const asked: boolean[] = []
  return {
    asked,
    options: {},
    current: () => state,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    tell(change) {
      state = { ...state, ...change }
      for (const listener of [...listeners]) listener()
    },
    async getToken({ skipCache, signal }) {
      asked.push(skipCache)
      const { sessionId = '', orgId } = state
      const response = await fetch(`${clerk.issuer}/v1/jwks`, {
        headers: { authorization: `Bearer ${clerk.secretKey}` },
        signal,
      })
      await response.body?.cancel()
      if (!response.ok)
        throw Object.assign(new Error(`Clerk answered ${response.status}.`), { status: response.status })
      if (clerk.world.sessions.get(sessionId ?? '')?.status !== 'active') {
        throw Object.assign(new Error('ended'), { status: 401, errors: [{ code: 'signed_out' }] })
      }
      return clerk.token(sessionId ?? '', {
        template: { name: 'convex', audience: 'convex' },
        claims: { iss: issuer, o: { id: orgId }, ...this.options.claims },
        ...this.options,
      })
    },
  }
}

/** Ada of two organisations and Bob of one, a Clerk and a Convex, on one clock that the test moves. */
export async function clientWorld() {
  const clock = testClock()
  const clerk = await fakeClerk({ clock })
  atEnd(() => clerk.close())
  const people = {
    ada: clerk.world.addUser({ email: 'ada@example.com' }),
    bob: clerk.world.addUser({ email: 'bob@example.com' }),
  }
  const world = await createWorld()
  await world.t.run(async (ctx) => {
    const member = (organization: string, user: string) =>
      ctx.db.insert('authMemberships', { organization, user, role: 'admin', state: 'active', changedAt: 1 })
    await member('org_a', people.ada.id)
    await member('org_b', people.ada.id)
    await member('org_b', people.bob.id)
  })
  const sessions = { ada: clerk.world.addSession(people.ada.id).id, bob: clerk.world.addSession(people.bob.id).id }
  const auth = { providers: [clerkProvider({ issuer, jwks: clerk.jwks })] }
  const loopback = await convexLoopback(world.t, { auth, modules, followMs: 20, now: () => clock.now() })
  atEnd(() => loopback.close())
  const as = (person: 'ada' | 'bob', orgId: string): ClerkSessionState => ({
    isLoaded: true,
    sessionId: sessions[person],
    userId: people[person].id,
    orgId,
  })

  const open = {
    ConvexClient() {
      const client = new ConvexClient(loopback.url, { skipConvexDeploymentUrlCheck: true, logger: false })
      atEnd(() => client.close())
      const shown: Shown = { names: 'nothing yet' }
      const show = (rows: readonly { name: string }[]) => {
        shown.names = rows.map(({ name }) => name)
      }
      client.onUpdate(api.projects.list, {}, show, () => {
        shown.names = 'refused'
      })
      return { client, shown }
    },
    ConvexReactClient() {
      const client = new ConvexReactClient(loopback.url, { skipConvexDeploymentUrlCheck: true, logger: false })
      atEnd(() => client.close())
      const watch = client.watchQuery(api.projects.list, {})
      const shown: Shown = { names: 'nothing yet' }
      watch.onUpdate(() => {
        try {
          shown.names = watch.localQueryResult()?.map(({ name }) => name) ?? 'nothing yet'
        } catch {
          shown.names = 'refused'
        }
      })
      return { client, shown }
    },
  }
  const keep = (client: AuthenticatedClient, source: ClerkSource, more: Partial<KeepAuthenticatedOptions> = {}) => {
    const events: ClientAuthEvent[] = []
    const options = { source, clock, random: () => 0.5, onEvent: (event: ClientAuthEvent) => void events.push(event) }
    const kept = keepAuthenticated(client, { ...options, ...more })
    atEnd(() => kept.close())
    return { kept, events, state: () => kept.getSnapshot().state }
  }
  return { ...world, clock, clerk, loopback, people, sessions, as, open, keep }
}

/** What a page shows: the names of a live query. */
export interface Shown {
  names: string[] | string
}

export const soon = { timeout: 15_000, interval: 5 }
