import { z } from 'zod'
import { isIssuerError } from '../errors.ts'
import { refusal } from '../refusals.ts'
import type { ClientCredentials, SessionCredential, SessionStatus } from '../types.ts'
import { hasType } from './body.ts'
import { readBasic } from './client-credentials-of.ts'
import { allowOriginOf } from './cors.ts'
import { answer, type Exchange, type Handler, whence } from './exchange.ts'
import { type Form, parseForm } from './form.ts'
import { HttpRefused } from './http-refused.ts'
import { readJson } from './json.ts'
import { answerTokens } from './token-routes.ts'

const text = (longest: number) => z.string().min(1).max(longest)
const signInShape = z.object({
  identifier: text(1_024),
  secret: text(8_192),
  client_id: text(128),
  audience: text(256).optional(),
  resource: text(2_048).optional(),
  scope: text(8_192).optional(),
})

/** Where one password is shared there is nobody to name, and no client to choose. */
const sharedSignInShape = z.strictObject({ password: text(4_096), scope: text(8_192).exactOptional() })

/** First-party sign-in. Only JSON: a form would be the password grant by another name, and a page could send it unasked. */
export const signInRoute: Handler = async (exchange) => {
  const { request } = exchange
  if (!hasType(request, 'application/json')) throw refusal('sign_in_content_type')
  const body = await readJson(request)
  const shared = sharedSignInShape.safeParse(body)
  if (shared.success) {
    if (request.headers.authorization !== undefined) throw refusal('two_credentials')
    answerTokens(exchange, await exchange.face.issuer.sharedSignIn({ ...whence(exchange), ...shared.data }))
    return
  }
  const parsed = signInShape.safeParse(body)
  if (!parsed.success) throw refusal('sign_in_malformed')
  const { identifier, secret, client_id, audience, resource, scope } = parsed.data
  const { authorization } = request.headers
  const client: ClientCredentials =
    authorization === undefined ? { method: 'none', clientId: client_id } : readBasic(authorization)
  if (client.clientId !== client_id) throw refusal('two_client_ids')
  await allowOriginOf(exchange, client_id)
  const tokens = await exchange.face.issuer.signIn({
    ...whence(exchange),
    client,
    identifier,
    secret,
    ...(audience === undefined ? undefined : { audience }),
    ...(resource === undefined ? undefined : { resource }),
    ...(scope === undefined ? undefined : { scope }),
  })
  answerTokens(exchange, tokens)
}

const signOutShape = z.object({ refresh_token: text(256).optional(), client_id: text(128).optional() })

/** Ends the session of the refresh token in the body or the cookie, or of the access token in the header. */
export const signOutRoute: Handler = async (exchange) => {
  const { issuer, cookies } = exchange.face
  const parsed = signOutShape.safeParse((await readJson(exchange.request)) ?? {})
  if (!parsed.success) throw refusal('body_malformed')
  const { refresh_token: inBody, client_id: named } = parsed.data
  await allowOriginOf(exchange, named)
  const credential = await credentialOf(exchange, inBody, named)
  if (credential !== undefined) await issuer.signOut(credential)
  const clientId = named === undefined ? undefined : await issuer.clientIdOf(named)
  if (clientId !== undefined && cookies.of(exchange.request, clientId) !== undefined) {
    exchange.headers.push('Set-Cookie', cookies.clear(clientId))
  }
  answer(exchange, 200, { state: 'signed-out' })
}

/** Who is signed in; nobody is an answer. The client may be named in the query: its id is no secret. */
export const statusRoute: Handler = async (exchange) => {
  const named = clientNamedIn(exchange.query)
  await allowOriginOf(exchange, named)
  try {
    const credential = await credentialOf(exchange, undefined, named)
    answer(exchange, 200, onTheWire(await exchange.face.issuer.status(credential)))
  } catch (error) {
    if (!isIssuerError(error) || error.code !== 'temporarily_unavailable') throw error
    // "Nobody" would send somebody who is signed in to the sign-in page.
    throw new HttpRefused(503, error, { members: { state: 'unavailable' } })
  }
}

function clientNamedIn(query: string | undefined): string | undefined {
  const form: Form = parseForm(query ?? '')
  const named = form.get('client_id')
  if (form.size > (named === undefined ? 0 : 1)) throw refusal('parameters_in_url')
  return named
}

/** Exactly one, or none. @throws IssuerError `invalid_request` */
async function credentialOf(
  exchange: Exchange,
  inBody: string | undefined,
  clientId: string | undefined,
): Promise<SessionCredential | undefined> {
  const { request, face } = exchange
  const { authorization } = request.headers
  const { origin, fetchSite } = whence(exchange)
  const from = {
    ...(origin === undefined ? undefined : { origin }),
    ...(fetchSite === undefined ? undefined : { fetchSite }),
  }
  if (authorization !== undefined) {
    if (inBody !== undefined) throw refusal('two_credentials')
    const token = /^bearer +([A-Za-z0-9._-]+)$/i.exec(authorization)?.[1]
    if (token === undefined) throw refusal('client_auth_method')
    return { ...from, token, deliveredBy: 'header' }
  }
  if (inBody !== undefined) return { ...from, token: inBody, deliveredBy: 'body' }
  const id = clientId === undefined ? undefined : await face.issuer.clientIdOf(clientId)
  const inCookie = clientId === undefined ? face.cookies.only(request) : id && face.cookies.of(request, id)
  return inCookie === undefined ? undefined : { ...from, token: inCookie, deliveredBy: 'cookie' }
}

function onTheWire(status: SessionStatus): object {
  if (status.state === 'signed-out') return status
  return {
    state: status.state,
    subject: status.subject,
    session: status.session,
    client_id: status.clientId,
    signed_in_at: status.signedInAt,
    expires_at: status.expiresAt,
  }
}
