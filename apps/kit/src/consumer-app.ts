import { type AuthRouter, type DeclaredRoute, type ExpressAuth, expressAuth } from '@countersign/express'
import type { Guard } from '@countersign/guard'
import express, { type Express } from 'express'
import { answerErrors } from './answer-errors.ts'
import { Problem } from './problem.ts'
import { toWire } from './whoami.ts'

export interface ConsumerAppOptions<Scope extends string> {
  readonly guard: Guard<Scope>
  /** In the challenges. */
  readonly realm: string
  /** Told of what was answered with 500. */
  readonly onFault?: (error: unknown) => void
  /** Whether clients may keep answers. @default never */
  readonly cacheControl?: string
}

export interface ConsumerApp<Scope extends string> {
  readonly app: Express
  /** Every route, and who may call it. */
  readonly routes: readonly DeclaredRoute<Scope>[]
}

/** Where routes are declared. */
export interface RouteContext<Scope extends string> {
  readonly auth: ExpressAuth<Scope>
  readonly router: AuthRouter<Scope>
}

/**
 * A consumer as an Express app: RFC 9728 metadata, `/healthz`, `/whoami`, the routes that `declare` adds (each with its
 * scope, or it does not compile), JSON errors.
 */
export function createConsumerApp<Scope extends string>(
  options: ConsumerAppOptions<Scope>,
  declare: (context: RouteContext<Scope>) => void,
): ConsumerApp<Scope> {
  const { guard, realm, onFault = () => undefined, cacheControl = 'no-store' } = options
  const auth = expressAuth(guard, { realm })
  const router = auth.router()
  router.get('/healthz', 'public', (_req, res) => {
    res.json({ status: 'ok' })
  })
  router.get('/whoami', 'token', (req, res) => {
    res.json(toWire(auth.principal(req)))
  })
  declare({ auth, router })

  const app = express()
  app.disable('x-powered-by').disable('etag').set('query parser', 'simple')
  app.use(auth.metadata())
  app.use((_req, res, next) => {
    res.set({ 'Cache-Control': cacheControl, 'X-Content-Type-Options': 'nosniff' })
    next()
  })
  app.use(router)
  app.use(() => {
    throw new Problem('not_found', 'There is no such path.')
  })
  app.use(answerErrors(onFault))
  return { app, routes: router.routes }
}
