import { isScope } from '../scope.ts'

/** Most `scope` values remembered. */
const most = 256

const remembered = new Map<string, ReadonlySet<string>>()

/** Tokens of one kind come in rows: comparing with the last is cheaper than hashing. */
let lastScope: string | undefined
let lastSet: ReadonlySet<string> | undefined

function deny(): never {
  throw new TypeError("A principal's scopes cannot be changed.")
}

function frozenSet(scope: string): ReadonlySet<string> {
  const denied = { value: deny }
  const set = new Set(scope === '' ? [] : scope.split(' '))
  return Object.freeze(Object.defineProperties(set, { add: denied, delete: denied, clear: denied }))
}

/**
 * The set of a `scope` value, or `undefined` if it is none (RFC 6749 section 3.3). Principals come out of a cache and go
 * to many callers, so what one of them could change would be everybody's: the set refuses.
 */
export function scopeSet(scope: string): ReadonlySet<string> | undefined {
  if (scope === lastScope) return lastSet
  let set = remembered.get(scope)
  if (set === undefined) {
    if (!isScope(scope)) return undefined
    set = frozenSet(scope)
    if (remembered.size >= most) remembered.clear()
    remembered.set(scope, set)
  }
  lastScope = scope
  lastSet = set
  return set
}
