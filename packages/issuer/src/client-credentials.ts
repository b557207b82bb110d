import { authenticateConfidentialClient, findClient } from './client-auth.ts'
import type { Context } from './context.ts'
import { IssuerError } from './errors.ts'
import { mint, recordIssue, reportIssue, syntheticClaims, type ToMint } from './mint.ts'
import type { AuditActor, ClientRecord } from './ports.ts'
import { newId } from './random.ts'
import { refusal } from './refusals.ts'
import { decideTarget } from './target.ts'
import type { ClientCredentialsRequest, Requested, Target, TokenAnswer } from './types.ts'

/** RFC 6749 section 4.4. The subject is the client itself, whose id no user's id can equal. */
export async function clientCredentials(context: Context, request: ClientCredentialsRequest): Promise<TokenAnswer> {
  return await issueToClient(context, await authenticateConfidentialClient(context, request), request)
}

/**
 * The operator's own: a token for a client without its secret, by the same rules; the record names the operator.
 * @throws IssuerError `unknown_client`, `already_disabled`, and what {@link clientCredentials} throws
 */
export async function issueToken(
  context: Context,
  clientName: string,
  request: Target & Requested,
): Promise<TokenAnswer> {
  const client = await findClient(context, clientName)
  if (client === undefined) throw new IssuerError('unknown_client', 'There is no client by that name.')
  if (client.disabledAt !== null) throw new IssuerError('already_disabled', 'The client is disabled.')
  return await issueToClient(context, client, request, request.actor ?? { type: 'operator' })
}

async function issueToClient(
  context: Context,
  client: ClientRecord,
  request: Target,
  actor?: AuditActor,
): Promise<TokenAnswer> {
  if (!client.grants.includes('client_credentials')) throw refusal('grant_not_allowed')
  const { resource, scope } = decideTarget(context, client, 'client-credentials', request)
  const global = await context.stores.globalGeneration()
  const lastUntil = endOfCredentials(client)
  const now = context.now()
  if (lastUntil !== undefined && lastUntil <= now) throw refusal('client_failed')
  const toMint: ToMint = {
    grant: 'client_credentials',
    resource,
    subject: client.id,
    clientId: client.id,
    sessionId: newId(),
    scope,
    generations: [global, client.generation, client.generation],
    now,
    ...(lastUntil === undefined ? {} : { notAfter: lastUntil }),
    claims: syntheticClaims(client),
  }
  const minted = await mint(context, toMint)
  // The row and the record may be written in either order: without both, nobody sees the token.
  await Promise.all([
    context.stores.issued.add(minted.issued),
    recordIssue(context, 'client_credentials', minted.issued, actor),
  ])
  reportIssue(context, toMint, minted)
  return {
    accessToken: minted.token,
    expiresInSeconds: minted.expiresInSeconds,
    scope,
    audience: resource.consumer.audience,
    subject: client.id,
    sessionId: toMint.sessionId,
    clientId: client.id,
    refresh: null,
  }
}

/** When nothing is left that the client can authenticate with; a token must not outlive that. Undefined: never. */
function endOfCredentials({ secrets, keys }: ClientRecord): number | undefined {
  const ends = [...secrets, ...keys].map(({ expiresAt }) => expiresAt ?? Number.POSITIVE_INFINITY)
  const last = Math.max(...ends)
  return Number.isFinite(last) ? last : undefined
}
