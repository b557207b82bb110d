import type { Guard } from '@countersign/guard'
import { admitRequest, challenge, resourceMetadataUrl } from '@countersign/guard/http'
import { AuthModuleError } from './errors.ts'
import { payloadOf, type TokenPayload } from './token-payload.ts'

/** Over `Request` and `Response` of the web: Hono, Next, Bun, Deno, MCP servers over HTTP, a test. */
export type ProtectedHandler<Scope extends string> = (
  request: Request,
  payload: TokenPayload<Scope>,
) => Response | Promise<Response>

export interface ProtectOptions<Scope extends string> {
  /** One or all of several; `null`: any accepted token. */
  readonly scope: Scope | readonly [Scope, ...Scope[]] | null
}

/** @throws AuthModuleError `bad_option` for none, and for what the module does not have */
export function neededScopes<Scope extends string>(
  scope: ProtectOptions<Scope>['scope'] | undefined,
  known: Readonly<Record<string, unknown>>,
): readonly Scope[] {
  if (scope === null) return []
  const scopes: readonly Scope[] = typeof scope === 'string' ? [scope] : Array.isArray(scope) ? scope : []
  if (scopes.length > 0 && scopes.every((one) => Object.hasOwn(known, one))) return scopes
  throw new AuthModuleError('bad_option', 'scope: expected scopes of the module, or null for any token')
}

/** What a caller reads; the precise reason is in the guard's events only. */
const details: Readonly<Record<number, string>> = { 401: 'Invalid token', 403: 'Insufficient permissions' }

/** The handler, called only with an accepted token that has the scopes. */
export function protectHandler<Scope extends string>(
  guard: Guard<Scope>,
  handler: ProtectedHandler<Scope>,
  scopes: readonly Scope[],
): (request: Request) => Promise<Response> {
  const resourceMetadata = resourceMetadataUrl(guard)
  return async (request) => {
    const decision = await admitRequest(guard, request, scopes)
    if (decision.admitted) return handler(request, payloadOf<Scope>(decision.principal))
    const { status, headers, body } = challenge(decision, { scopes, resourceMetadata })
    const detail = details[status] ?? body.error_description ?? body.error
    return new Response(JSON.stringify({ detail, ...body }), { status, headers })
  }
}
