import { type RequestHandler, Router, type RouterOptions } from 'express'
import { ExpressAuthError } from './errors.ts'
import type { ExpressAuth, RouteOptions } from './express-auth.ts'

/** Who may call a route: whose token has the scope or all of the scopes, who has any token, or everybody. */
export type Access<Scope extends string> = PlainAccess<Scope> | LateAccess<Scope>

type PlainAccess<Scope extends string> = Scope | readonly [Scope, ...Scope[]] | 'token' | 'public'

/** A route that says what it does when revocation news are late. */
export interface LateAccess<Scope extends string> extends RouteOptions {
  readonly scopes: Exclude<PlainAccess<Scope>, 'public'>
}

/** A route as it was declared, for tests and documents made over all of them. */
export interface DeclaredRoute<Scope extends string = string> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** As in Express, such as `/agents/:id`; without the path that the router is mounted at. */
  readonly path: string
  readonly scopes: readonly Scope[] | 'token' | 'public'
  readonly availability?: RouteOptions['availability']
}

export type DeclareRoute<Scope extends string> = (
  path: string,
  access: Access<Scope>,
  ...handlers: readonly [RequestHandler, ...RequestHandler[]]
) => AuthRouter<Scope>

/** A router for `app.use`, whose routes all say who may call them. */
export interface AuthRouter<Scope extends string = string> extends RequestHandler {
  readonly get: DeclareRoute<Scope>
  readonly post: DeclareRoute<Scope>
  readonly put: DeclareRoute<Scope>
  readonly patch: DeclareRoute<Scope>
  readonly delete: DeclareRoute<Scope>
  /** Every route declared so far, in order. */
  readonly routes: readonly DeclaredRoute<Scope>[]
}

/** @param known the consumer's scopes, where they are known */
export function createAuthRouter<Scope extends string>(
  auth: ExpressAuth<Scope>,
  known: readonly string[] = [],
  options: RouterOptions = {},
): AuthRouter<Scope> {
  const router = Router(options)
  const routes: DeclaredRoute<Scope>[] = []

  const guardsFor = (scopes: DeclaredRoute<Scope>['scopes'], options: RouteOptions): RequestHandler[] => {
    if (scopes === 'public') return []
    if (scopes === 'token') return [auth.requireToken(options)]
    const [first, ...others] = scopes
    if (first === undefined) throw new ExpressAuthError('no_scope', 'A route needs at least one scope.')
    return [auth.requireScope(first, ...others, options)]
  }
  const declare =
    (method: DeclaredRoute['method'], register: 'get' | 'post' | 'put' | 'patch' | 'delete'): DeclareRoute<Scope> =>
    (path, access, ...handlers) => {
      if (handlers.length === 0)
        throw new ExpressAuthError('bad_access', 'A route needs who may call it, and a handler.')
      const { scopes: plain, ...options } = isLate(access) ? access : { scopes: access }
      const scopes = scopesOf(plain)
      if (isWord(scopes) && known.includes(scopes)) {
        throw new ExpressAuthError('bad_access', `"${scopes}" is a scope of the consumer too: it goes into a list.`)
      }
      router[register](path, ...guardsFor(scopes, options), ...handlers)
      routes.push(Object.freeze({ method, path, scopes, ...options }))
      return authRouter
    }

  const handle: RequestHandler = (req, res, next) => router(req, res, next)
  const authRouter: AuthRouter<Scope> = Object.assign(handle, {
    get: declare('GET', 'get'),
    post: declare('POST', 'post'),
    put: declare('PUT', 'put'),
    patch: declare('PATCH', 'patch'),
    delete: declare('DELETE', 'delete'),
    routes,
  })
  return authRouter
}

function scopesOf<Scope extends string>(access: PlainAccess<Scope>): DeclaredRoute<Scope>['scopes'] {
  if (isWord(access)) return access
  if (typeof access === 'string') return Object.freeze([access])
  // A caller without types may have left the access out: then a handler stands here.
  if (!Array.isArray(access)) throw new ExpressAuthError('bad_access', 'The route does not say who may call it.')
  return Object.freeze([...access])
}

function isLate<Scope extends string>(access: Access<Scope>): access is LateAccess<Scope> {
  return typeof access === 'object' && access !== null && 'scopes' in access
}

function isWord(access: unknown): access is 'token' | 'public' {
  return access === 'token' || access === 'public'
}
