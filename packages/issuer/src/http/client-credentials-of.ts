import { claimedClient, jwtBearer } from '../client-assertion.ts'
import { refusal } from '../refusals.ts'
import type { ClientCredentials } from '../types.ts'
import { decode, type Form } from './form.ts'

const basicShape = /^basic +([A-Za-z0-9+/]+={0,2})$/i

/**
 * Who the client says it is: exactly one way in a request (RFC 6749 section 2.3).
 * @throws IssuerError `invalid_client`, `invalid_request`
 */
export function clientCredentialsOf(authorization: string | undefined, form: Form): ClientCredentials {
  const named = form.get('client_id')
  const secret = form.get('client_secret')
  const asserted = form.has('client_assertion') || form.has('client_assertion_type')
  const ways = Number(authorization !== undefined) + Number(secret !== undefined) + Number(asserted)
  if (ways > 1) throw refusal('two_credentials')
  if (asserted) {
    const shown = readAssertion(form)
    if (named !== undefined && named !== shown.clientId) throw refusal('two_client_ids')
    return shown
  }
  if (authorization !== undefined) {
    const basic = readBasic(authorization)
    if (named !== undefined && named !== basic.clientId) throw refusal('two_client_ids')
    return basic
  }
  if (named === undefined) throw refusal('client_failed')
  if (secret !== undefined) return { method: 'client_secret_post', clientId: named, secret }
  return { method: 'none', clientId: named }
}

/** RFC 7523 section 2.2. */
function readAssertion(form: Form): ClientCredentials {
  const assertion = form.get('client_assertion')
  if (form.get('client_assertion_type') !== jwtBearer) throw refusal('client_auth_method')
  const clientId = assertion === undefined ? undefined : claimedClient(assertion)
  if (assertion === undefined || clientId === undefined) throw refusal('client_failed')
  return { method: 'private_key_jwt', clientId, assertion }
}

/** RFC 6749 section 2.3.1: both halves are form-URL-encoded before they are joined and base64-encoded. */
export function readBasic(authorization: string): ClientCredentials {
  const encoded = basicShape.exec(authorization)?.[1]
  if (encoded === undefined) throw refusal('client_auth_method')
  const pair = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = pair.indexOf(':')
  if (colon < 0) throw refusal('client_failed')
  return {
    method: 'client_secret_basic',
    clientId: decode(pair.slice(0, colon)),
    secret: decode(pair.slice(colon + 1)),
  }
}
