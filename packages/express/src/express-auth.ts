import type { Availability, Decision, Guard } from '@countersign/guard'
import { admitRequest, admitRequestNow, challenge, resourceMetadataUrl } from '@countersign/guard/http'
import type { Principal } from '@countersign/tokens'
import type { NextFunction, Request, RequestHandler, Response, RouterOptions } from 'express'
import { type AuthRouter, createAuthRouter } from './auth-router.ts'
import { checkAuthOptions, checkRouteOptions } from './check-options.ts'
import { ExpressAuthError } from './errors.ts'
import { metadataHandler } from './metadata.ts'

export interface ExpressAuthOptions {
  /** Named in challenges (RFC 9110 section 11.5): printable ASCII without `"` and `\`, at most 128 characters. */
  readonly realm?: string
}

export interface RouteOptions {
  /**
   * What the route does when revocation news are late. By default sensitive scopes are refused past 30 s, everything past
   * 60 s; `token-life` accepts a token until it ends; `introspect` asks the issuer then.
   */
  readonly availability?: Availability
}

export interface ExpressAuth<Scope extends string = string> {
  /**
   * Lets a request through whose token has all of these scopes; answers 400, 401, 403 or 503 otherwise.
   * A fault of ours goes to `next` and so to the app's error handler.
   * @throws ExpressAuthError `no_scope`, `unknown_scope`, `no_introspection`, `bad_option` when the route is set up
   */
  requireScope(...scopes: readonly [Scope, ...Scope[]]): RequestHandler
  requireScope(...scopesAndOptions: readonly [Scope, ...Scope[], RouteOptions]): RequestHandler
  /**
   * Lets a request through that has an accepted token, whatever its scopes.
   * @throws ExpressAuthError `no_introspection`, `bad_option`, and `bad_access` for scopes, when the route is set up
   */
  requireToken(options?: RouteOptions): RequestHandler
  /**
   * Whom the request speaks for.
   * @throws ExpressAuthError `unguarded_route` if nothing before the handler has admitted the request
   */
  principal(request: Request): Principal
  /**
   * Routes that cannot be written without saying who may call them.
   * @param options as `express.Router` takes them: `mergeParams` for a router mounted at `/orgs/:org`
   */
  router(options?: RouterOptions): AuthRouter<Scope>
  /**
   * Answers `/.well-known/oauth-protected-resource`, also with the path of the resource after it (RFC 9728 section 3).
   * @throws GuardError `no_resource` if the guard does not know where its consumer answers
   */
  metadata(): RequestHandler
}

/**
 * The guard for Express 5.
 *
 * @example A route that needs a scope
 * const auth = expressAuth(createGuard({ issuer: 'https://auth.example.com', consumer: consumers['agent-api'] }))
 * app.get('/agents', auth.requireScope('agents:read'), (req, res) => {
 *   res.json({ for: auth.principal(req).subject })
 * })
 */
export function expressAuth<Scope extends string>(
  guard: Guard<Scope>,
  options: ExpressAuthOptions = {},
): ExpressAuth<Scope> {
  checkAuthOptions(guard, options)
  // A property under a name that only this function has: a WeakMap takes longer than the rest of the guard.
  const slot = Symbol('principal')
  const resourceMetadata = resourceMetadataUrl(guard)
  const { realm } = options
  // Said once here, so that a realm that cannot stand in a header stops the start, not a request.
  challenge({ admitted: false, code: 'no_token' }, { realm, resourceMetadata })

  const require = (scopes: readonly Scope[], options: RouteOptions): RequestHandler => {
    checkRouteOptions(options)
    const { availability } = options
    if (availability === 'introspect' && !guard.canIntrospect) {
      throw new ExpressAuthError('no_introspection', 'The guard has no `introspect` to ask.')
    }
    const staleness = availability === undefined ? {} : { availability }
    const conclude = (decision: Decision, req: Request, res: Response, next: NextFunction): void => {
      if (decision.admitted) {
        slotsOf(req)[slot] = decision.principal
        next()
        return
      }
      // Something before the guard has answered meanwhile, as a time limit does: nothing is left to say.
      if (res.writableEnded) return
      const { status, headers, body } = challenge(decision, { scopes, resourceMetadata, realm })
      res.status(status).set(headers).json(body)
    }
    const admit: RequestHandler = (req, res, next) => {
      let decision: Decision | undefined
      try {
        decision = admitRequestNow(guard, req, scopes, staleness)
        if (decision === undefined) {
          return admitRequest(guard, req, scopes, staleness)
            .then((later) => conclude(later, req, res, next))
            .catch((cause: unknown) => fail(cause, next))
        }
      } catch (cause) {
        return fail(cause, next)
      }
      return conclude(decision, req, res, next)
    }
    return admit
  }

  const auth: ExpressAuth<Scope> = {
    requireScope(...scopesAndOptions: readonly (Scope | RouteOptions)[]) {
      const last = scopesAndOptions.at(-1)
      const hasOptions = typeof last === 'object' && last !== null && !Array.isArray(last)
      // Whatever else is no scope stays in, to be refused: leaving it out would ask for less than was meant.
      const scopes = (hasOptions ? scopesAndOptions.slice(0, -1) : [...scopesAndOptions]) as Scope[]
      checkScopes(scopes, guard.scopes)
      return require(scopes, hasOptions ? last : {})
    },
    requireToken(options = {}) {
      // Whoever names a scope here means it: any token would be less than was asked for.
      if (typeof options !== 'object' || options === null || Array.isArray(options)) {
        throw new ExpressAuthError('bad_access', '`requireToken` takes no scopes: those go to `requireScope`.')
      }
      return require([], options)
    },
    principal(request) {
      const principal = slotsOf(request)[slot]
      if (principal === undefined) {
        const { method, baseUrl, route } = request
        const path = typeof route?.path === 'string' ? `${baseUrl}${route.path}` : baseUrl || 'this path'
        throw new ExpressAuthError('unguarded_route', `No token was asked for on ${method} ${path}.`)
      }
      return principal
    },
    router: (options) => createAuthRouter(auth, guard.scopes, options),
    metadata: () => metadataHandler(guard),
  }
  return auth
}

/** Not left to Express, which lets a request pass where `undefined` or the word `route` is thrown. */
function fail(cause: unknown, next: NextFunction): void {
  next(cause instanceof Error ? cause : new Error('The guard threw something that is no error.', { cause }))
}

function slotsOf(request: Request): { [slot: symbol]: Principal | undefined } {
  return request as unknown as { [slot: symbol]: Principal | undefined }
}

/** RFC 6749 section 3.3: no token holds another, and no challenge could name it. */
const oneScope = /^[\x21\x23-\x5b\x5d-\x7e]+$/

function checkScopes(scopes: readonly string[], known: readonly string[] | undefined): void {
  if (scopes.length === 0) throw new ExpressAuthError('no_scope', 'A route needs at least one scope.')
  for (const scope of scopes) {
    if (typeof scope === 'string' && (known === undefined ? oneScope.test(scope) : known.includes(scope))) continue
    const name = JSON.stringify(scope)
    throw new ExpressAuthError(
      'unknown_scope',
      known === undefined ? `${name} is not one scope.` : `The consumer has no scope ${name}.`,
    )
  }
}
