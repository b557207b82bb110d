/** Most values remembered. */
const most = 1024

/** Longest value remembered, in characters. */
const longest = 256

/** Claims whose values many tokens have in common. */
const sharedNames = ['iss', 'aud', 'client_id', 'azp', 'scope', 'org_id'] as const

const remembered = new Map<string, string>()

/** By name: tokens of one kind come in rows, and comparing with the last is cheaper than hashing. */
const last: (string | undefined)[] = sharedNames.map(() => undefined)

/**
 * Puts the one string that there is of it in place of each value that many tokens have in common: every token parsed
 * brings copies of its own, and services hold the claims of tens of thousands.
 *
 * @param claims of a token whose signature holds, not frozen yet
 */
export function shareClaims(claims: Record<string, unknown>): void {
  for (let index = 0; index < sharedNames.length; index++) {
    const name = sharedNames[index] as (typeof sharedNames)[number]
    const value = claims[name]
    if (typeof value !== 'string' || value.length > longest) continue
    const shared = last[index]
    claims[name] = shared === value ? shared : share(value, index)
  }
}

function share(value: string, index: number): string {
  let known = remembered.get(value)
  if (known === undefined) {
    if (remembered.size >= most) remembered.clear()
    remembered.set(value, value)
    known = value
  }
  last[index] = known
  return known
}
