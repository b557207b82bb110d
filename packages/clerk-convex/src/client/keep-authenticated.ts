import type { Clock } from '@countersign/tokens'
import type { FunctionArgs, FunctionReference, FunctionReturnType } from 'convex/server'
import { AuthError } from '../auth-error.ts'
import { unwrap } from '../denial.ts'
import type { AuthenticatedClient } from './convex-client.ts'
import { Keeper } from './keeper.ts'
import { pageClock } from './page-clock.ts'
import type { ClerkSource } from './source.ts'
import type { ClientAuthEvent, ClientAuthStatus } from './status.ts'
import { browserTabs, type Tabs } from './tabs.ts'
import { onWake as onBrowserWake } from './wake.ts'

export interface KeepAuthenticatedOptions {
  readonly source: ClerkSource
  /** Of a JWT template, for instances whose session tokens do not carry `aud: "convex"`. @default none */
  readonly template?: string
  /** Milliseconds, 0 to 600,000, until `loading` becomes `unavailable` if Clerk does not load. @default 10000 */
  readonly loadingMs?: number
  /** Events hold no part of a token. */
  readonly onEvent?: (event: ClientAuthEvent) => void
  /** @default the system's */
  readonly clock?: Clock
  /** 0 to 1. @default Math.random */
  readonly random?: () => number
  /** @default the other tabs of this origin; none outside of a page */
  readonly tabs?: Tabs
  /** Calls back when it is worth asking again. @default the network is back, the page is seen again */
  readonly onWake?: (call: () => void) => () => void
}

/** Without its denials, which are thrown. */
type Unwrapped<Value> = ReturnType<typeof unwrap<Value>>
type Result<Ref extends FunctionReference<'query' | 'mutation' | 'action'>> = Unwrapped<
  Awaited<FunctionReturnType<Ref>>
>

/** A client that is kept signed in, and calls that fail closed. */
export interface KeptAuth {
  getSnapshot(): ClientAuthStatus
  /** Calls back at each change; the returned function ends that. */
  subscribe(listener: () => void): () => void
  /**
   * Sends a mutation, or does not: while no token lives it is refused at once, and not kept for later, as the client's
   * own `mutation` would be. While the first token is on its way it waits for that.
   *
   * @throws AuthError `no_live_token`, nothing was sent; `access_denied`, with the `reason`; whatever the function threw
   */
  mutation<Ref extends FunctionReference<'mutation'>>(
    reference: Ref,
    args: FunctionArgs<Ref>,
    options?: object,
  ): Result<Ref>
  /** As {@link KeptAuth.mutation}. */
  action<Ref extends FunctionReference<'action'>>(reference: Ref, args: FunctionArgs<Ref>): Result<Ref>
  /** As {@link KeptAuth.mutation}; live queries are the client's own, and go on showing what they last had. */
  query<Ref extends FunctionReference<'query'>>(reference: Ref, args: FunctionArgs<Ref>): Result<Ref>
  /** The same for a call made in another way: `call(() => other.mutation(…))`. */
  call<Value>(send: () => Promise<Value> | Value): Unwrapped<Value>
  /** Asks Clerk now whether it is back, or who is here. */
  look(): void
  /**
   * Has calls made with a token of now: after Clerk's reverification, which is in new tokens only.
   *
   * @throws AuthError `no_live_token`
   */
  renew(): Promise<void>
  /** Ends keeping, and signs nobody out: the client is nobody's when its token ends. */
  close(): void
}

/**
 * Keeps a `ConvexClient` or `ConvexReactClient` signed in as who Clerk says: through outages of Clerk for as long as a
 * token lives, again without a reload after them, and out only when Clerk says that somebody signed out.
 *
 * @throws AuthError `bad_option`
 *
 * @example
 * const auth = keepAuthenticated(client, { source: clerkJs(window.Clerk), template: 'convex' })
 * await auth.mutation(api.runs.stop, { id })
 */
export function keepAuthenticated(client: AuthenticatedClient, options: KeepAuthenticatedOptions): KeptAuth {
  const { source, template, loadingMs = 10_000, clock = pageClock, random = Math.random } = options
  const { onEvent = () => {}, tabs = browserTabs(), onWake = onBrowserWake } = options
  if (!(loadingMs >= 0 && loadingMs <= 600_000)) throw new AuthError('bad_option', '"loadingMs" must be 0 to 600000.')
  const keeper = new Keeper(client, { source, template, clock, random, tabs, onWake, loadingMs, onEvent })
  keeper.start()

  const admitted = async (): Promise<void> => {
    // After a sleep what is planned may be far away.
    if (!keeper.canCall && keeper.isUndecided) keeper.look()
    while (!keeper.canCall) {
      if (!keeper.isUndecided) throw refusal(keeper)
      await changed(keeper)
    }
  }
  const call: KeptAuth['call'] = async (send) => {
    await admitted()
    return unwrap(send())
  }
  const send = async (kind: 'query' | 'mutation' | 'action', parameters: unknown[]): Promise<never> => {
    await admitted()
    // The client's own types were checked where the reference and its arguments were given.
    return (await unwrap(Reflect.apply(client[kind], client, parameters))) as never
  }
  return {
    getSnapshot: () => keeper.status,
    subscribe: (listener) => keeper.subscribe(listener),
    mutation: (reference, args, rest) => send('mutation', [reference, args, rest]),
    action: (reference, args) => send('action', [reference, args]),
    query: (reference, args) => send('query', [reference, args]),
    call,
    look: () => keeper.look(),
    async renew() {
      await admitted()
      const before = keeper.token
      keeper.renew()
      while (keeper.canCall && keeper.token === before) await changed(keeper)
      await admitted()
    },
    close: () => keeper.close(),
  }
}

function changed(keeper: Keeper): Promise<void> {
  return new Promise((resolve) => {
    const stop = keeper.subscribe(() => {
      stop()
      resolve()
    })
  })
}

const messages = {
  'signed-out': 'Nobody is signed in.',
  degraded: 'The session could not be renewed; nothing was sent.',
  unavailable: 'Nobody can say now who is signed in; nothing was sent.',
  loading: 'Nobody can say yet who is signed in; nothing was sent.',
  'signed-in': 'Nobody is kept signed in any more; nothing was sent.',
} as const

function refusal(keeper: Keeper): AuthError {
  const { lastError: cause, status } = keeper
  const details = { reason: status.state, ...(cause === undefined ? {} : { cause }) }
  return new AuthError('no_live_token', messages[status.state], details)
}
