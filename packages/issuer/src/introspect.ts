import type { ActClaim, Principal } from '@countersign/tokens'
import { authenticateConfidentialClient } from './client-auth.ts'
import type { Context } from './context.ts'
import type { ClientRecord } from './ports.ts'
import { refreshTokenPrefix, sha256 } from './random.ts'
import { sessionCounts, stillCounts } from './token-state.ts'
import type { Introspection, TokenRequestFromOutside } from './types.ts'
import type { OwnTokens } from './verify-own.ts'

const inactive: Introspection = { active: false }

/** RFC 7662. Any client with a secret may ask about an access token; about a refresh token only the one it was given to. */
export async function introspect(
  context: Context,
  own: OwnTokens,
  request: TokenRequestFromOutside,
): Promise<Introspection> {
  const client = await authenticateConfidentialClient(context, request)
  const answer = request.token.startsWith(refreshTokenPrefix)
    ? await ofRefreshToken(context, client, request.token)
    : await ofAccessToken(context, await own.read(request.token))
  context.emit({ type: 'introspected', active: answer.active })
  return answer
}

/** The operator's own, for an access token of any client. */
export async function introspectToken(context: Context, own: OwnTokens, token: string): Promise<Introspection> {
  return await ofAccessToken(context, await own.read(token))
}

async function ofAccessToken(context: Context, principal: Principal | undefined): Promise<Introspection> {
  if (principal === undefined || !(await stillCounts(context, principal))) return inactive
  const { clientId, tokenId, session, issuedAt } = principal
  if (clientId === undefined || tokenId === undefined || session === undefined || issuedAt === undefined)
    return inactive
  return {
    active: true,
    iss: context.issuer,
    sub: principal.subject,
    aud: principal.audience,
    client_id: clientId,
    scope: [...principal.scopes].join(' '),
    exp: principal.expiresAt,
    iat: issuedAt,
    sid: session,
    token_type: 'Bearer',
    jti: tokenId,
    // The verifier has checked its form.
    ...(principal.actor === undefined ? undefined : { act: principal.claims.act as ActClaim }),
  }
}

async function ofRefreshToken(context: Context, client: ClientRecord, token: string): Promise<Introspection> {
  const found = await context.stores.sessions.byRefresh(sha256(token))
  if (found === undefined || found.session.clientId !== client.id) return inactive
  const { refresh, session } = found
  if (refresh.spentAt !== null || refresh.expiresAt <= context.now()) return inactive
  if (!(await sessionCounts(context, session))) return inactive
  return {
    active: true,
    iss: context.issuer,
    sub: session.userId,
    aud: session.audience,
    client_id: client.id,
    scope: session.scope,
    exp: Math.min(session.expiresAt, refresh.expiresAt),
    iat: refresh.createdAt,
    sid: session.id,
  }
}
