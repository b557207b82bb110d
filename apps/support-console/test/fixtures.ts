import type { SessionInfo, TokenAnswer } from '@countersign/issuer'
import { systemClock } from '@countersign/tokens'
import { type Served, serve, type testIssuer } from '@countersign-apps/kit/testing'
import { type Console, createConsole } from '../src/create-console.ts'
import type { Delegation } from '../src/delegation.ts'
import type { OperatorsIssuer } from '../src/desk.ts'
import { HelpDesk } from '../src/help-desk.ts'
import { OperatorSessions, type OperatorSessionsOptions } from '../src/operator-sessions.ts'
import { RevocationBoard } from '../src/revocation-board.ts'
import type { Scope } from '../src/scopes.ts'

export function session(id: string, change: Partial<SessionInfo> = {}): SessionInfo {
  const now = Math.floor(Date.now() / 1000)
  return {
    id,
    userId: 'user_ada',
    clientId: 'client_web',
    audience: 'agent-api',
    scope: 'agents:read',
    createdAt: now - 60,
    expiresAt: now + 3_600,
    endedAt: null,
    endReason: null,
    ...change,
  }
}

type TestIssuer = Awaited<ReturnType<typeof testIssuer<Scope>>>

export interface StandIn {
  readonly console: Console
  readonly served: () => Served
  readonly calls: unknown[]
  readonly faults: unknown[]
  /** By the user's name; every one is open. */
  readonly sessions: Map<string, SessionInfo>
  /** Thrown at the next sign-ins and refreshes. */
  refusal: unknown
  /** Scopes of whoever signs in next. */
  scope: string
  acknowledgements: Awaited<ReturnType<OperatorsIssuer['acknowledgements']>>
  start(): Promise<void>
  close(): Promise<void>
}

/** The console over an issuer that plays along: what it is asked is in `calls`. */
export function standIn(
  issuer: TestIssuer,
  also: {
    readonly delegation?: Delegation
    readonly limits?: OperatorSessionsOptions['limits']
    now?: () => number
  } = {},
): StandIn {
  const calls: unknown[] = []
  const faults: unknown[] = []
  const sessions = new Map<string, SessionInfo>([['session-ada-1', session('session-ada-1')]])
  const clock = { ...systemClock, ...(also.now === undefined ? {} : { now: also.now }) }
  const state = { scope: 'sessions:read sessions:revoke keys:read help:answer', refusal: undefined as unknown }
  let acknowledgements: StandIn['acknowledgements'] = []
  const tokens = (): TokenAnswer => ({
    accessToken: issuer.token({ sub: 'user_olga', scope: state.scope }),
    expiresInSeconds: 300,
    scope: state.scope,
    audience: 'support-console',
    subject: 'user_olga',
    sessionId: 'session-olga',
    clientId: 'client_app',
    refresh: { token: 'cs_refresh_x', expiresInSeconds: 600, delivery: 'body' },
  })
  const fake = {
    issuer: 'https://auth.example.com',
    sessions: {
      list: async () => [...sessions.values()],
      byId: async (id: string) => sessions.get(id),
      revoke: async (...given: unknown[]) => {
        calls.push(['revoke', ...given])
        const id = String(given[0])
        const found = sessions.get(id)
        if (found === undefined || found.endedAt !== null) return false
        sessions.set(id, { ...found, endedAt: Math.floor(Date.now() / 1000), endReason: 'revoked' })
        return true
      },
    },
    acknowledgements: async () => acknowledgements,
    revocationPosition: async () => ({ epoch: 1, seq: 7 }),
    signIn: async (...given: unknown[]) => {
      calls.push(['signIn', ...given])
      if (state.refusal !== undefined) throw state.refusal
      return tokens()
    },
    refresh: async (...given: unknown[]) => {
      calls.push(['refresh', ...given])
      if (state.refusal !== undefined) throw state.refusal
      return tokens()
    },
    signOut: async (...given: unknown[]) => {
      calls.push(['signOut', ...given])
      return true
    },
    exchange: async () => tokens(),
  } as unknown as OperatorsIssuer
  const onFault = (error: unknown): void => void faults.push(error)
  const board = new RevocationBoard({
    issuer: fake,
    audiences: ['agent-api', 'billing-worker'],
    clock: systemClock,
    onFault,
  })
  const help = new HelpDesk(issuer.guard, clock)
  const origins = new Set<string>()
  const made = createConsole({
    guard: issuer.guard,
    issuer: fake,
    rings: [],
    board,
    help,
    delegation: also.delegation ?? { readConversations: async () => [] },
    operators: new OperatorSessions({
      issuer: fake,
      app: 'support-console-app',
      clock,
      onFault,
      ...(also.limits === undefined ? {} : { limits: also.limits }),
    }),
    clock,
    origins,
    onFault,
  })
  let served: Served | undefined
  return {
    console: made,
    calls,
    faults,
    sessions,
    get refusal() {
      return state.refusal
    },
    set refusal(error) {
      state.refusal = error
    },
    get scope() {
      return state.scope
    },
    set scope(scope) {
      state.scope = scope
    },
    get acknowledgements() {
      return acknowledgements
    },
    set acknowledgements(given) {
      acknowledgements = given
    },
    served() {
      if (served === undefined) throw new Error('not started')
      return served
    },
    async start() {
      served = await serve(made.app)
      origins.add(served.origin)
    },
    async close() {
      made.streams.close()
      board.close()
      help.close()
      await served?.close()
    },
  }
}

export interface PageAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

/** A browser without scripts: sends forms with its origin, and keeps the cookie. */
export class Visitor {
  readonly #origin: string
  cookie = ''
  constructor(origin: string) {
    this.#origin = origin
  }
  async get(path: string): Promise<PageAnswer> {
    return await this.#ask(path, { headers: this.#headers() })
  }
  async post(path: string, form: Record<string, string>, headers: Record<string, string> = {}): Promise<PageAnswer> {
    const own = { origin: this.#origin, 'sec-fetch-site': 'same-origin' }
    const sent = Object.fromEntries(Object.entries({ ...own, ...headers }).filter(([, value]) => value !== ''))
    return await this.#ask(path, {
      method: 'POST',
      headers: { ...this.#headers(), 'content-type': 'application/x-www-form-urlencoded', ...sent },
      body: new URLSearchParams(form).toString(),
    })
  }
  async signIn(name = 'olga', password = 'correct horse battery'): Promise<PageAnswer> {
    return await this.post('/sign-in', { name, password })
  }
  #headers(): Record<string, string> {
    return this.cookie === '' ? {} : { cookie: this.cookie }
  }
  async #ask(path: string, init: RequestInit): Promise<PageAnswer> {
    const response = await fetch(this.#origin + path, { redirect: 'manual', ...init })
    const set = response.headers.get('set-cookie')
    if (set !== null) this.cookie = set.includes('Max-Age=0') ? '' : (set.split(';')[0] ?? '')
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
}
