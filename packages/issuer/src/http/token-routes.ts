import { isIssuerError } from '../errors.ts'
import { tokenExchangeGrant } from '../metadata.ts'
import { refusal } from '../refusals.ts'
import type { ClientCredentials, Target, TokenAnswer, TokenExchangeRequest } from '../types.ts'
import { clientCredentialsOf } from './client-credentials-of.ts'
import { allowOriginOf } from './cors.ts'
import { answer, type Exchange, type Handler, whence } from './exchange.ts'
import { type Form, readForm } from './form.ts'

const grants: ReadonlySet<string> = new Set(['client_credentials', 'refresh_token', tokenExchangeGrant])

/** RFC 6749 section 3.2. */
export const tokenRoute: Handler = async (exchange) => {
  const form = await readForm(exchange.request)
  const grant = form.get('grant_type')
  if (grant === undefined) throw refusal('grant_type_missing')
  if (!grants.has(grant)) throw refusal('grant_unsupported')
  const client = await clientOf(exchange, form)
  const from = { ...whence(exchange), client, ...targetOf(form) }
  if (grant === 'client_credentials') {
    answerTokens(exchange, await exchange.face.issuer.clientCredentials(from))
    return
  }
  if (grant === tokenExchangeGrant) {
    answerTokens(exchange, await exchange.face.issuer.exchange({ ...from, ...exchangeOf(form) }))
    return
  }
  const inBody = form.get('refresh_token')
  if (inBody !== undefined) {
    const refreshed = await exchange.face.issuer.refresh({ ...from, refreshToken: inBody, deliveredBy: 'body' })
    answerTokens(exchange, refreshed)
    return
  }
  await refreshByCookie(exchange, from)
}

async function refreshByCookie(
  exchange: Exchange,
  from: { readonly client: ClientCredentials } & Target,
): Promise<void> {
  const { issuer, cookies } = exchange.face
  const clientId = await issuer.clientIdOf(from.client.clientId)
  const refreshToken = clientId === undefined ? undefined : cookies.of(exchange.request, clientId)
  if (clientId === undefined || refreshToken === undefined) throw refusal('refresh_token_missing')
  try {
    answerTokens(exchange, await issuer.refresh({ ...from, refreshToken, deliveredBy: 'cookie' }))
  } catch (error) {
    if (isIssuerError(error) && error.code === 'invalid_grant') {
      exchange.headers.push('Set-Cookie', cookies.clear(clientId))
    }
    throw error
  }
}

/** RFC 7009 section 2. */
export const revokeRoute: Handler = async (exchange) => {
  const form = await readForm(exchange.request)
  const client = await clientOf(exchange, form)
  await exchange.face.issuer.revoke({ ...whence(exchange), client, token: tokenOf(form) })
  answer(exchange, 200, {})
}

/** RFC 7662 section 2. */
export const introspectRoute: Handler = async (exchange) => {
  const form = await readForm(exchange.request)
  const client = clientCredentialsOf(exchange.request.headers.authorization, form)
  answer(exchange, 200, await exchange.face.issuer.introspect({ ...whence(exchange), client, token: tokenOf(form) }))
}

/** There is no code flow: said in JSON, since no redirect URI could be trusted. */
export const authorizeRoute: Handler = async () => {
  throw refusal('response_type_unsupported')
}

async function clientOf(exchange: Exchange, form: Form): Promise<ClientCredentials> {
  const client = clientCredentialsOf(exchange.request.headers.authorization, form)
  if (exchange.request.headers.origin !== undefined) await allowOriginOf(exchange, client.clientId)
  return client
}

function tokenOf(form: Form): string {
  const token = form.get('token')
  if (token === undefined) throw refusal('token_missing')
  return token
}

/** RFC 8693 section 2.1. */
function exchangeOf(form: Form): Omit<TokenExchangeRequest, 'client'> {
  const subjectToken = form.get('subject_token')
  const subjectTokenType = form.get('subject_token_type')
  const actorToken = form.get('actor_token')
  const actorTokenType = form.get('actor_token_type')
  const requestedTokenType = form.get('requested_token_type')
  const reason = form.get('reason')
  if (subjectToken === undefined || subjectTokenType === undefined) throw refusal('subject_token_missing')
  return {
    subjectToken,
    subjectTokenType,
    ...(actorToken === undefined ? undefined : { actorToken }),
    ...(actorTokenType === undefined ? undefined : { actorTokenType }),
    ...(requestedTokenType === undefined ? undefined : { requestedTokenType }),
    ...(reason === undefined ? undefined : { reason }),
  }
}

function targetOf(form: Form): Target {
  const audience = form.get('audience')
  const resource = form.get('resource')
  const scope = form.get('scope')
  return {
    ...(audience === undefined ? undefined : { audience }),
    ...(resource === undefined ? undefined : { resource }),
    ...(scope === undefined ? undefined : { scope }),
  }
}

/** RFC 6749 section 5.1; a refresh token that lives in a cookie is not in the body. */
export function answerTokens(exchange: Exchange, tokens: TokenAnswer): void {
  const { refresh } = tokens
  if (refresh !== null && refresh.delivery === 'cookie') {
    const cookie = exchange.face.cookies.set(tokens.clientId, refresh.token, refresh.expiresInSeconds)
    exchange.headers.push('Set-Cookie', cookie)
  }
  answer(exchange, 200, {
    access_token: tokens.accessToken,
    ...(tokens.issuedTokenType === undefined ? undefined : { issued_token_type: tokens.issuedTokenType }),
    token_type: 'Bearer',
    expires_in: tokens.expiresInSeconds,
    scope: tokens.scope,
    ...(refresh?.delivery === 'body' ? { refresh_token: refresh.token } : undefined),
  })
}
