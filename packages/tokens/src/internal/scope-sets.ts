import { isScope } from '../scope.ts'

/** Most `scope` values remembered. */
const most = 256

const remembered = new Map<string, ReadonlySet<string>>()

function deny(): never {
  throw new TypeError("A principal's scopes cannot be changed.")
}

/**
 * The set of a `scope` value, or `undefined` if it is none (RFC 6749 section 3.3). Principals come out of a cache and go to many callers, so what one of them could
 * change would be everybody's: the set refuses.
 */
export function scopeSet(scope: string): ReadonlySet<string> | undefined {
  const known = remembered.get(scope)
  if (known !== undefined) return known
  if (!isScope(scope)) return undefined
  const set = new Set(scope === '' ? [] : scope.split(' '))
  const denied = { value: deny }
  Object.freeze(Object.defineProperties(set, { add: denied, delete: denied, clear: denied }))
  if (remembered.size >= most) remembered.clear()
  remembered.set(scope, set)
  return set
}
