import type { Decision } from './decision.ts'
import type { Guard, StalenessChoice } from './guard.ts'
import { type RequestLike, readBearer } from './read-bearer.ts'

/**
 * Reads the token of an HTTP request and decides.
 *
 * @example A `node:http` server
 * const decision = await admitRequest(guard, request, ['agents:read'])
 * if (!decision.admitted) {
 *   const { status, headers, body } = challenge(decision)
 *   return response.writeHead(status, headers).end(JSON.stringify(body))
 * }
 */
export function admitRequest<Scope extends string>(
  guard: Guard<Scope>,
  request: RequestLike,
  scopes: readonly Scope[] = [],
  options: StalenessChoice = {},
): Promise<Decision> {
  return guard.admit({ ...readBearer(request), scopes, ...options, surface: 'http' })
}
