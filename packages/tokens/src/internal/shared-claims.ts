/** Most values remembered. */
const most = 1024

/** Longest value remembered, in characters. */
const longest = 256

/** Claims whose values many tokens have in common. */
const sharedNames = ['iss', 'aud', 'client_id', 'azp', 'scope', 'org_id'] as const

const remembered = new Map<string, string>()

/**
 * Puts the one string that there is of it in place of each value that many tokens have in common: every token parsed
 * brings copies of its own, and services hold the claims of tens of thousands.
 *
 * @param claims of a token whose signature holds, not frozen yet
 */
export function shareClaims(claims: Record<string, unknown>): void {
  for (const name of sharedNames) {
    const value = claims[name]
    if (typeof value !== 'string' || value.length > longest) continue
    const known = remembered.get(value)
    if (known !== undefined) claims[name] = known
    else {
      if (remembered.size >= most) remembered.clear()
      remembered.set(value, value)
    }
  }
}
