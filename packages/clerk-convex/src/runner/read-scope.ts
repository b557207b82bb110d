import { isTokensError, parseScope } from '@countersign/tokens'
import { refuse } from './runner-refused.ts'

/** Most scopes of one runner. */
const mostScopes = 32

/** The scopes of a parameter (RFC 6749 section 3.3). @throws RunnerRefused `invalid_request` */
export function readScope(text: string): readonly string[] {
  try {
    const scopes = parseScope(text)
    if (scopes.length <= mostScopes) return scopes
  } catch (cause) {
    if (!isTokensError(cause)) throw cause
    return refuse('invalid_request', 'The "scope" is not a list of scopes.', { cause })
  }
  return refuse('invalid_request', `The "scope" names more than ${mostScopes} scopes.`)
}
