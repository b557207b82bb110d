import type { Decision } from './decision.ts'
import type { Guard, StalenessChoice } from './guard.ts'
import { type RequestLike, readBearer, readPlainBearer } from './read-bearer.ts'

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

/**
 * The same decision without any wait, where the token is one that was accepted before; `undefined` says that
 * `admitRequest` has to be asked. Throws what that rejects with.
 */
export function admitRequestNow<Scope extends string>(
  guard: Guard<Scope>,
  request: RequestLike,
  scopes: readonly Scope[] = [],
  { availability }: StalenessChoice = {},
): Decision | undefined {
  // The form of a token that was accepted before need not be looked at again: that costs more than finding it.
  const token = guard.admitNow === undefined ? undefined : readPlainBearer(request)
  if (token === undefined) return undefined
  const asked = { token, scopes, surface: 'http' }
  return guard.admitNow?.(availability === undefined ? asked : { ...asked, availability })
}
