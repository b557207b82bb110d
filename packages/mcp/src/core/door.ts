import type { Credentials, Decision, Guard } from '@countersign/guard'
import type { Principal, RejectionCode } from '@countersign/tokens'
import type { McpEvent, McpTransport } from '../events.ts'
import { Caller, type Exchanges, identityOf } from './caller.ts'
import type { Operation } from './operation.ts'
import type { Entry } from './registry.ts'
import { type ScopeRules, scopesOf } from './scope-rules.ts'

type Denial = Extract<Decision, { admitted: false }>

export type Verdict =
  | { readonly admitted: true; readonly caller: Caller }
  /** `scopes`: all that the request needs, for the challenge. */
  | { readonly admitted: false; readonly denial: Denial; readonly scopes: readonly string[] }

export interface Knock {
  readonly credentials: Credentials
  readonly operations: readonly Operation[]
  readonly transport: McpTransport
  /** Answers what opens a connection to those without a token, too. */
  readonly anonymous?: boolean
  readonly traceId?: string | undefined
}

/** Decides over requests, and tells of each. Authorisation is of the body that the SDK gets, never of headers. */
export interface Door {
  knock(knock: Knock): Promise<Verdict>
  /** Whether these credentials are anybody's at all. */
  admit(credentials: Credentials): Promise<Decision>
  /** Whoever was admitted by `admit`. */
  callerOf(principal: Principal, token: string): Caller
  /** For lists, and again before a handler: does the entry's access hold for this caller? */
  mayUse(caller: Caller, entry: Pick<Entry, 'access'>): boolean
}

export interface DoorOptions {
  readonly guard: Guard
  readonly rules: ScopeRules
  readonly exchanges: Exchanges
  readonly report: ((event: McpEvent) => void) | undefined
}

export function createDoor({ guard, rules, exchanges, report }: DoorOptions): Door {
  const ask = async (credentials: Credentials, scopes: readonly string[]): Promise<Decision> => {
    const asked = { ...credentials, scopes, surface: 'mcp' }
    const decision = guard.admitNow?.(asked) ?? (await guard.admit(asked))
    if (decision.principal === undefined || hasOneAudience(decision.principal)) return decision
    // A profile for a foreign issuer may let a token for several servers through: any of them could use it here.
    return { admitted: false, code: 'wrong_audience' }
  }

  /** With a hierarchy, the guard is asked for the scopes that the token really has. */
  const decide = async (credentials: Credentials, required: readonly string[]): Promise<Decision> => {
    if (rules.isPlain || required.length === 0) return ask(credentials, required)
    const decision = await ask(credentials, [])
    if (!decision.admitted) return decision
    const { scopes } = decision.principal
    const carriers = rules.carriers(scopes, required)
    if (carriers !== undefined) return ask(credentials, carriers)
    return {
      admitted: false,
      code: 'insufficient_scope',
      missingScopes: rules.missing(scopes, required),
      principal: decision.principal,
    }
  }

  const admit = async (credentials: Credentials): Promise<Decision> => ask(credentials, [])

  const knock = async (asked: Knock): Promise<Verdict> => {
    const { credentials, operations, anonymous = false } = asked
    const required = requiredScopes(operations)
    const hasToken = credentials.token !== undefined || credentials.invalidRequest === true
    if (!hasToken && !needsToken(operations, anonymous)) {
      tell(asked, { admitted: true })
      return { admitted: true, caller: new Caller(undefined, undefined, exchanges) }
    }
    const decision = await decide(credentials, required)
    if (decision.admitted) {
      const { principal } = decision
      tell(asked, { admitted: true, principal })
      return { admitted: true, caller: new Caller(principal, credentials.token, exchanges) }
    }
    tell(asked, decision)
    return { admitted: false, denial: decision, scopes: required }
  }

  /** One event for each request in it. */
  const tell = (
    { operations, transport, traceId }: Knock,
    decision: { readonly admitted: true; readonly principal?: Principal } | Denial,
  ): void => {
    if (report === undefined) return
    const basis = { type: 'call', transport, ...(traceId === undefined ? {} : { traceId }) } as const
    const { principal } = decision
    const caller = principal === undefined ? {} : { caller: identityOf(principal) }
    for (const { method, isRequest, entries, undeclared } of operations) {
      if (!isRequest) continue
      const name = entries.length === 1 ? entries[0]?.name : undefined
      const about = { ...basis, method, ...(name === undefined ? {} : { name }), ...caller }
      const code: RejectionCode | 'undeclared' | undefined = decision.admitted
        ? undeclared && 'undeclared'
        : decision.code
      if (code === undefined) report({ ...about, decision: 'admitted' })
      else {
        const { missingScopes } = decision.admitted ? {} : decision
        report({ ...about, decision: 'denied', code, ...(missingScopes === undefined ? {} : { missingScopes }) })
      }
    }
  }

  return {
    knock,
    admit,
    callerOf: (principal, token) => new Caller(principal, token, exchanges),
    mayUse({ principal }, { access }) {
      if (access === 'public') return true
      if (principal === undefined) return false
      const carriers = rules.carriers(principal.scopes, scopesOf(access))
      return carriers !== undefined && guard.permits(principal, carriers)
    },
  }
}

function requiredScopes(operations: readonly Operation[]): readonly string[] {
  const [only] = operations
  const first = only?.entries[0]
  // Nearly always one message about one thing.
  if (operations.length === 1 && only?.entries.length === 1 && first !== undefined) return scopesOf(first.access)
  return [...new Set(operations.flatMap(({ entries }) => entries.flatMap(({ access }) => scopesOf(access))))]
}

function needsToken(operations: readonly Operation[], anonymous: boolean): boolean {
  if (operations.length === 0) return !anonymous
  return operations.some(({ entries }) =>
    entries.length === 0 ? !anonymous : entries.some(({ access }) => access !== 'public'),
  )
}

function hasOneAudience({ claims }: Principal): boolean {
  const { aud } = claims
  return !Array.isArray(aud) || aud.length === 1
}
