import { IssuerError, type IssuerErrorCode, type IssuerErrorOptions } from './errors.ts'

/** Every `error_description` there is: the wire never repeats what was sent in. */
const refusals = {
  no_such_route: ['invalid_request', 'There is nothing at this path.'],
  method_not_allowed: ['invalid_request', 'This endpoint does not take this method.'],
  parameters_in_url: ['invalid_request', 'Parameters go in the body, never in the URL.'],
  content_type: ['invalid_request', 'The content type must be application/x-www-form-urlencoded.'],
  content_encoding: ['invalid_request', 'A content encoding is not accepted.'],
  body_too_large: ['invalid_request', 'The body is larger than 16 KiB.'],
  body_malformed: ['invalid_request', 'The body is malformed.'],
  too_many_parameters: ['invalid_request', 'The body has too many parameters.'],
  parameter_repeated: ['invalid_request', 'A parameter was sent more than once.'],
  header_repeated: ['invalid_request', 'A header that must be sent once was repeated.'],
  grant_type_missing: ['invalid_request', 'The parameter grant_type is missing.'],
  token_missing: ['invalid_request', 'The parameter token is missing.'],
  refresh_token_missing: ['invalid_request', 'The refresh token is missing.'],
  refresh_token_misplaced: ['invalid_request', "This client's refresh token travels in its cookie only."],
  two_credentials: ['invalid_request', 'Exactly one way of client authentication is allowed in a request.'],
  two_client_ids: ['invalid_request', 'The client ids of the request differ.'],
  sign_in_malformed: [
    'invalid_request',
    'Send identifier, secret and client_id as JSON strings, or password where it is shared.',
  ],
  audience_and_resource: ['invalid_target', 'The audience and the resource name different services.'],
  audience_unknown: ['invalid_target', 'The audience is unknown, or not for this client.'],
  audience_missing: ['invalid_target', 'Name the audience: the client may use several.'],
  audience_not_this_way: ['invalid_target', 'Tokens for this audience cannot be obtained by this grant.'],
  scope_malformed: ['invalid_scope', 'The scope is malformed.'],
  scope_not_allowed: ['invalid_scope', 'A scope is unknown, or not allowed to this client.'],
  scope_grown: ['invalid_scope', 'The scope may only shrink.'],
  client_failed: ['invalid_client', 'Client authentication failed.'],
  client_auth_method: ['invalid_client', 'This way of client authentication is not supported.'],
  client_not_confidential: ['invalid_client', 'This endpoint needs a client with a secret.'],
  grant_not_allowed: ['unauthorized_client', 'The client may not use this grant.'],
  sign_in_not_allowed: ['unauthorized_client', 'The client may not sign people in.'],
  sign_in_content_type: ['unauthorized_client', 'Sign-in takes application/json only.'],
  origin_not_allowed: ['unauthorized_client', "The request does not come from one of the client's origins."],
  not_this_consumer: ['unauthorized_client', 'Only the client that is named like the consumer may speak for it.'],
  token_refused: ['invalid_client', 'The access token is not valid.'],
  json_content_type: ['invalid_request', 'The content type must be application/json.'],
  feed_query: ['invalid_request', 'The parameters are after and epoch, a position of the feed.'],
  feed_gone: ['invalid_request', 'What came after this position is not kept: take the snapshot.'],
  feed_stale: ['temporarily_unavailable', 'The revocation log could not be read lately; try again.'],
  too_many_streams: ['temporarily_unavailable', 'Too many streams are open; try again, or poll.'],
  grant_unsupported: ['unsupported_grant_type', 'The grant type is not supported.'],
  response_type_unsupported: ['unsupported_response_type', 'No response type is supported.'],
  sign_in_failed: ['invalid_grant', 'The identifier or the secret is wrong.'],
  refresh_failed: ['invalid_grant', 'The refresh token is not valid.'],
  too_many_failures: ['rate_limited', 'Too many failed attempts.'],
  too_busy: ['temporarily_unavailable', 'Too much work at once; try again.'],
  store_failed: ['temporarily_unavailable', 'The store cannot be used now; try again.'],
  audit_failed: ['temporarily_unavailable', 'The action could not be recorded; try again.'],
  keys_failed: ['temporarily_unavailable', 'No key can sign or verify now; try again.'],
  closing: ['temporarily_unavailable', 'The service is shutting down; try again.'],
  fault: ['server_error', 'The service met a fault.'],
} as const

export type Refusal = keyof typeof refusals

/** The error for a refusal of the fixed list. */
export function refusal(name: Refusal, options?: IssuerErrorOptions): IssuerError {
  const [code, description]: readonly [IssuerErrorCode, string] = refusals[name]
  return new IssuerError(code, description, options)
}
