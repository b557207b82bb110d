/** Most values remembered. */
const most = 1024

/** Longest value remembered, in characters. */
const longest = 256

const remembered = new Map<string, string>()

/** The value of one claim: tokens of one kind come in rows, and comparing with the last is cheaper than hashing. */
class SharedClaim {
  #last: string | undefined

  /** The one string that there is of this value. */
  of(value: string): string {
    if (value === this.#last) return this.#last
    if (value.length > longest) return value
    let known = remembered.get(value)
    if (known === undefined) {
      if (remembered.size >= most) remembered.clear()
      remembered.set(value, value)
      known = value
    }
    this.#last = known
    return known
  }
}

const issuer = new SharedClaim()
const audience = new SharedClaim()
const clientId = new SharedClaim()
const authorizedParty = new SharedClaim()
const scopes = new SharedClaim()
const organization = new SharedClaim()

/**
 * Puts the one string that there is of it in place of each value that many tokens have in common: every token parsed
 * brings copies of its own, and services hold the claims of tens of thousands. Name by name: a loop over names takes
 * eight times as long.
 *
 * @param claims of a token whose signature holds, not frozen yet
 */
export function shareClaims(claims: Record<string, unknown>): void {
  const { iss, aud, client_id, azp, scope, org_id } = claims
  if (typeof iss === 'string') claims.iss = issuer.of(iss)
  if (typeof aud === 'string') claims.aud = audience.of(aud)
  if (typeof client_id === 'string') claims.client_id = clientId.of(client_id)
  if (typeof azp === 'string') claims.azp = authorizedParty.of(azp)
  if (typeof scope === 'string') claims.scope = scopes.of(scope)
  if (typeof org_id === 'string') claims.org_id = organization.of(org_id)
}
