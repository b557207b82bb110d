import {
  allowInsecureRequests,
  customFetch,
  genericTokenEndpointRequest,
  OperationProcessingError,
  processGenericTokenEndpointResponse,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from 'oauth4webapi'
import { createServer } from './authorization-server.ts'
import { boundedFetch, Unanswered } from './bounded-fetch.ts'
import { checkServerOptions } from './check-options.ts'
import { authenticationOf } from './client-authentication.ts'
import { TokenSourceError, type TokenSourceErrorCode } from './errors.ts'
import type { ServerOptions } from './options.ts'

/** What the token endpoint gave. */
export interface Answer {
  readonly accessToken: string
  /** Undefined: the server did not say. */
  readonly lifeSeconds: number | undefined
  readonly refreshToken: string | undefined
}

export type RequestToken = (grantType: string, parameters: Readonly<Record<string, string>>) => Promise<Answer>

export const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** Longest wait that a server may ask for. */
const longestRetryAfterSeconds = 300

/** @throws TokenSourceError `bad_option` */
export function createRequest(options: ServerOptions): RequestToken {
  const limits = checkServerOptions(options)
  const read = boundedFetch(options.fetch ?? globalThis.fetch, limits)
  const server = createServer(options, read)
  return async (grantType, parameters) => {
    const secrets = [options.client.secret, ...Object.values(parameters)].filter((text) => text !== undefined)
    try {
      const metadata = await server.find()
      const client = { client_id: options.client.id }
      const authenticate = await authenticationOf(options.client, metadata)
      const response = await genericTokenEndpointRequest(metadata, client, authenticate, grantType, parameters, {
        [customFetch]: read,
        // Loopback only: other http addresses were refused before.
        [allowInsecureRequests]: true,
      })
      refuseOutage(response)
      const answer = await processGenericTokenEndpointResponse(metadata, client, response)
      // A sender-bound token needs a proof with each request, which whoever asks for a string does not make.
      if (answer.token_type !== 'bearer') throw new TokenSourceError('answer_invalid', 'the token is no bearer token')
      return {
        accessToken: answer.access_token,
        lifeSeconds: answer.expires_in,
        refreshToken: answer.refresh_token,
      }
    } catch (error) {
      throw toTokenSourceError(error, grantType, secrets)
    }
  }
}

function refuseOutage({ status, headers }: Response): void {
  if (status < 500 && status !== 429) return
  const asked = Number(headers.get('retry-after') ?? Number.NaN)
  const retryAfterSeconds = Number.isFinite(asked) && asked >= 0 ? Math.min(asked, longestRetryAfterSeconds) : undefined
  throw new TokenSourceError('unavailable', `the token endpoint answered ${status}`, {
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
  })
}

/** Which code says what a server means by an OAuth error (RFC 6749 section 5.2). */
const codeOf: Readonly<Record<string, TokenSourceErrorCode>> = {
  invalid_client: 'client_refused',
  unauthorized_client: 'client_refused',
  invalid_grant: 'grant_refused',
  temporarily_unavailable: 'unavailable',
  slow_down: 'unavailable',
  server_error: 'unavailable',
}

function toTokenSourceError(error: unknown, grantType: string, secrets: readonly string[]): TokenSourceError {
  if (error instanceof TokenSourceError) return error
  if (error instanceof Unanswered) return new TokenSourceError('unavailable', error.message)
  if (error instanceof ResponseBodyError) {
    const oauthError = readable(error.error, secrets, 64) ?? 'an error'
    const description = readable(error.error_description, secrets, 200)
    const message = `the token endpoint answered ${oauthError}${description === undefined ? '' : `: ${description}`}`
    const code = isRefusedToken(error.error, grantType) ? 'grant_refused' : codeOf[error.error]
    return new TokenSourceError(code ?? 'request_refused', message, { oauthError })
  }
  if (error instanceof WWWAuthenticateChallengeError) {
    return new TokenSourceError('client_refused', `the token endpoint answered ${error.status}`)
  }
  if (error instanceof OperationProcessingError) {
    // Its cause is the answer itself, which may hold a token.
    return new TokenSourceError('answer_invalid', `the authorization server's answer breaks the rules: ${error.code}`)
  }
  return new TokenSourceError('answer_invalid', "the authorization server's answer could not be used")
}

/** What RFC 8693 section 2.2.2 has a server say of a subject token that has ended, or is not for this client. */
function isRefusedToken(error: string, grantType: string): boolean {
  return error === 'invalid_request' && grantType === tokenExchange
}

/** Text of the server's in a message: bounded, on one line, and never with what was sent to it. */
function readable(text: string | undefined, secrets: readonly string[], most: number): string | undefined {
  if (text === undefined || secrets.some((secret) => secret.length >= 8 && text.includes(secret))) return undefined
  return text.replace(/[^\x20-\x7e]/gu, ' ').slice(0, most)
}
