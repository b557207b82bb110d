/** Most `scope` values remembered. */
const most = 256

const remembered = new Map<string, ReadonlySet<string>>()

function deny(): never {
  throw new TypeError("A principal's scopes cannot be changed.")
}

/**
 * The set of a checked `scope` value. Principals come out of a cache and go to many callers, so what one of them could
 * change would be everybody's: the set refuses.
 */
export function scopeSet(scope: string): ReadonlySet<string> {
  const known = remembered.get(scope)
  if (known !== undefined) return known
  const set = new Set(scope === '' ? [] : scope.split(' '))
  const denied = { value: deny }
  Object.freeze(Object.defineProperties(set, { add: denied, delete: denied, clear: denied }))
  if (remembered.size >= most) remembered.clear()
  remembered.set(scope, set)
  return set
}
