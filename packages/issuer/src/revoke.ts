import { authenticateClient, checkOrigin } from './client-auth.ts'
import type { Context } from './context.ts'
import type { AuditActor } from './ports.ts'
import { refreshTokenPrefix, sha256 } from './random.ts'
import { revoking } from './revoking.ts'
import type { TokenRequestFromOutside } from './types.ts'
import type { OwnTokens } from './verify-own.ts'

/**
 * RFC 7009. A refresh token ends its session and everything that came of it; an access token ends alone. What is unknown,
 * expired or another client's is left as it is, and the answer is the same.
 */
export async function revoke(context: Context, own: OwnTokens, request: TokenRequestFromOutside): Promise<void> {
  const client = await authenticateClient(context, request)
  if (client.type === 'public' && request.origin !== undefined) checkOrigin(client, request)
  await revokeToken(context, own, request.token, { type: 'client', id: client.id }, client.id)
}

/**
 * @param only - leave tokens of other clients alone
 * @returns false if there was nothing to revoke
 */
export async function revokeToken(
  context: Context,
  own: OwnTokens,
  token: string,
  actor: AuditActor,
  only?: string,
): Promise<boolean> {
  const { stores } = context
  if (token.startsWith(refreshTokenPrefix)) {
    const found = await stores.sessions.byRefresh(sha256(token))
    if (found === undefined || found.session.endedAt !== null) return false
    if (only !== undefined && found.session.clientId !== only) return false
    return revoking(context, { type: 'session', session: found.session, reason: 'revoked' }, actor)
  }
  const principal = await own.read(token)
  const { tokenId, clientId } = principal ?? {}
  if (tokenId === undefined || clientId === undefined) return false
  if (only !== undefined && clientId !== only) return false
  const status = await stores.issued.status(tokenId)
  if (status === undefined || status.revokedAt !== null) return false
  return revoking(context, { type: 'token', issued: status.issued }, actor)
}
