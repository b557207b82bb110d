import type { Access, ScopeHierarchy } from '../access.ts'
import { McpGuardError } from '../errors.ts'

/** Which scopes stand for which: a scope for itself, and for what it implies. */
export interface ScopeRules {
  /** No scope implies another. */
  readonly isPlain: boolean
  /**
   * The held scopes by which every required one is covered, each required one by itself where it is held;
   * `undefined` when one is not.
   */
  carriers(held: ReadonlySet<string>, required: readonly string[]): readonly string[] | undefined
  /** The required scopes that nothing held covers. */
  missing(held: ReadonlySet<string>, required: readonly string[]): readonly string[]
}

/** @throws McpGuardError `bad_option` for what is no hierarchy, `unknown_scope` */
export function createScopeRules(
  hierarchy: ScopeHierarchy = {},
  known: readonly string[] | undefined = undefined,
): ScopeRules {
  const direct = new Map<string, readonly string[]>()
  for (const [scope, implied] of Object.entries<unknown>(hierarchy)) {
    if (implied === undefined) continue
    if (!Array.isArray(implied) || !implied.every((one) => typeof one === 'string')) {
      throw new McpGuardError('bad_option', `implies: ${JSON.stringify(scope)} needs a list of scopes.`)
    }
    checkScopes([scope, ...implied], known)
    direct.set(scope, implied)
  }
  /** Required scope → the scopes that imply it, near ones first. */
  const impliers = new Map<string, string[]>()
  for (const scope of direct.keys()) {
    for (const implied of reach(scope, direct)) {
      const all = impliers.get(implied)
      if (all === undefined) impliers.set(implied, [scope])
      else all.push(scope)
    }
  }
  const carrier = (held: ReadonlySet<string>, scope: string): string | undefined =>
    held.has(scope) ? scope : impliers.get(scope)?.find((broader) => held.has(broader))

  return {
    isPlain: impliers.size === 0,
    carriers(held, required) {
      const found: string[] = []
      for (const scope of required) {
        const one = carrier(held, scope)
        if (one === undefined) return undefined
        found.push(one)
      }
      return found
    },
    missing: (held, required) => required.filter((scope) => carrier(held, scope) === undefined),
  }
}

/** Everything that a scope implies, over any number of steps, without itself; a circle ends where it began. */
function reach(scope: string, direct: ReadonlyMap<string, readonly string[]>): ReadonlySet<string> {
  const found = new Set<string>()
  const waiting = [scope]
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    for (const implied of direct.get(next) ?? []) {
      if (found.has(implied)) continue
      found.add(implied)
      waiting.push(implied)
    }
  }
  found.delete(scope)
  return found
}

/** RFC 6749 section 3.3. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** @throws McpGuardError `unknown_scope` */
export function checkScopes(scopes: readonly unknown[], known: readonly string[] | undefined): void {
  for (const scope of scopes) {
    if (typeof scope === 'string' && scopeToken.test(scope) && (known === undefined || known.includes(scope))) continue
    throw new McpGuardError('unknown_scope', `The consumer has no scope ${JSON.stringify(scope)}.`)
  }
}

/** @throws McpGuardError `no_access`, `unknown_scope` */
export function checkAccess(access: unknown, known: readonly string[] | undefined, what: string): Access {
  if (access === 'token' || access === 'public') return access
  if (!Array.isArray(access) || access.length === 0) {
    throw new McpGuardError('no_access', `${what} does not say who may use it.`)
  }
  checkScopes(access, known)
  return Object.freeze([...new Set(access)]) as unknown as Access
}

export function scopesOf(access: Access): readonly string[] {
  return typeof access === 'string' ? [] : access
}
