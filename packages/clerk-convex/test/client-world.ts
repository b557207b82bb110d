import { testClock } from '@countersign-tooling/clock'
import { ConvexClient } from 'convex/browser'
import { ConvexReactClient } from 'convex/react'
import { afterEach, vi } from 'vitest'
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
  /** Of the tokens that come. */
  options: TokenOptions
  /** Calls that are not answered. */
  readonly underWay: number
}

export function pageClerk(clerk: FakeClerk, first: ClerkSessionState): PageClerk {
  let state = first
  const listeners = new Set<() => void>()
  const asked: boolean[] = []
  let underWay = 0
  const ask = async ({ sessionId, orgId }: ClerkSessionState, signal: AbortSignal, options: TokenOptions) => {
    const headers = { authorization: `Bearer ${clerk.secretKey}` }
    const response = await fetch(`${clerk.issuer}/v1/jwks`, { headers, signal })
    await response.body?.cancel()
    if (!response.ok) throw Object.assign(new Error(`Clerk answered ${response.status}.`), { status: response.status })
    if (clerk.world.sessions.get(sessionId ?? '')?.status !== 'active') {
      throw Object.assign(new Error('The session is over.'), { status: 401, errors: [{ code: 'signed_out' }] })
    }
    return clerk.token(sessionId ?? '', {
      template: { name: 'convex', audience: 'convex' },
      ...options,
      claims: { iss: issuer, o: { id: orgId }, ...options.claims },
    })
  }
  return {
    asked,
    get underWay() {
      return underWay
    },
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
      underWay++
      try {
        return await ask(state, signal, this.options)
      } finally {
        underWay--
      }
    },
  }
}

/** Ada of two organisations and Bob of one, a Clerk and a Convex, on one clock that the test moves. */
export async function clientWorld() {
  // What is asked of Clerk is waited for by `pass`.
  const clock = testClock(() => new Promise((resolve) => setImmediate(resolve)))
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
    const options = { source, clock, random: () => 1, onEvent: (event: ClientAuthEvent) => void events.push(event) }
    const kept = keepAuthenticated(client, { ...options, ...more })
    atEnd(() => kept.close())
    return { kept, events, state: () => kept.getSnapshot().state }
  }
  /** Lets time pass no faster than what is asked of Clerk meanwhile is answered. */
  const pass = async (seconds: number, ...sources: PageClerk[]): Promise<void> => {
    const end = clock.monotonicMs() + seconds * 1_000
    do {
      // No timer is called before what is at work now has gone as far as it can by itself.
      await new Promise((resolve) => setImmediate(resolve))
      await clock.pass(Math.min(0.25, (end - clock.monotonicMs()) / 1_000))
      while (sources.some(({ underWay }) => underWay > 0)) await new Promise((resolve) => setTimeout(resolve, 1))
    } while (clock.monotonicMs() < end)
  }
  return { ...world, pass, clock, clerk, loopback, people, sessions, as, open, keep }
}

/** What a page shows: the names of a live query. */
export interface Shown {
  names: string[] | string
}

export const soon = { timeout: 60_000, interval: 5 }
// A client of Convex that lost its socket waits longer each time that it is refused, on a clock of its own.
vi.setConfig({ testTimeout: 180_000 })
