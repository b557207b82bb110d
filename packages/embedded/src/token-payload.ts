import type { Principal } from '@countersign/tokens'

/** What an accepted token says. */
export interface TokenPayload<Scope extends string = string> {
  /** The id of a user, client or API key: `user_…`, `client_…`. */
  readonly sub: string
  /** Unix seconds. */
  readonly exp: number
  /** Unix seconds. */
  readonly iat: number
  readonly scopes: readonly Scope[]
}

export function payloadOf<Scope extends string>({
  subject,
  expiresAt,
  issuedAt,
  scopes,
}: Principal): TokenPayload<Scope> {
  return { sub: subject, exp: expiresAt, iat: issuedAt ?? 0, scopes: [...scopes] as Scope[] }
}
