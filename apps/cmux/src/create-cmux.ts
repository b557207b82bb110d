import type { AuthModule } from '@countersign/embedded'
import type { WebSocketAuth, WebSocketAuthOptions } from '@countersign/websocket/server'
import { answerErrors, Problem } from '@countersign-apps/kit'
import express, { type Express, type RequestHandler } from 'express'
import type { Commands } from './commands/commands.ts'
import type { Scope } from './consumer.ts'
import type { Feed } from './feed.ts'
import { answerMessages, messages } from './messages.ts'
import { type OwnNames, refuseOtherHosts } from './own-names.ts'
import { page, securityHeaders } from './page.ts'
import { routes } from './routes.ts'

export interface CmuxParts {
  readonly auth: AuthModule<Scope>
  readonly feed: Feed
  readonly commands: Commands
  readonly names: OwnNames
  /** Proxies in front that append to X-Forwarded-For. */
  readonly proxyHops: number
  /** Told of what was answered with 500. */
  readonly onFault: (error: unknown) => void
  readonly onSocketEvent?: NonNullable<WebSocketAuthOptions<Scope, string>['onEvent']>
}

export interface Cmux {
  readonly app: Express
  readonly sockets: WebSocketAuth<Scope>
}

/** One subject has all the connections: every tab and every program that knows the password. */
const mostSockets = 64

/** cmux over its parts: HTTP, the page and the WebSocket. */
export function createCmux(parts: CmuxParts): Cmux {
  const { auth, names, proxyHops, onFault, onSocketEvent } = parts
  const guarded = auth.express({ realm: 'cmux' })
  const app = express()
  app.disable('x-powered-by').disable('etag').set('query parser', 'simple')
  app.use(refuseOtherHosts(names.hosts))
  app.use(...securityHeaders)
  app.use(auth.routes({ trustedProxyHops: proxyHops }) as RequestHandler)
  app.use(guarded.metadata())
  app.use(page())
  app.use(routes(guarded, parts))
  app.use(() => {
    throw new Problem('not_found', 'There is no such path.')
  })
  app.use(answerErrors(onFault))

  const sockets = auth.webSocket({
    messages,
    hosts: [...names.hosts],
    origins: names.origins,
    proxyHops,
    // The token has no successor: 7 days, then the password again.
    refresh: false,
    limits: { socketsPerSubject: mostSockets, sessionSeconds: Number.POSITIVE_INFINITY },
    ...(onSocketEvent === undefined ? {} : { onEvent: onSocketEvent }),
  })
  answerMessages(sockets, parts)
  return { app, sockets }
}
