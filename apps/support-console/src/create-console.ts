import { type ConsumerApp, createConsumerApp } from '@countersign-apps/kit'
import type { Context } from './context.ts'
import { EventStreams } from './pages/event-streams.ts'
import { type DeclaredPage, pageRoutes } from './pages/page-routes.ts'
import { jsonRoutes } from './routes.ts'
import type { Scope } from './scopes.ts'

export interface ConsoleOptions {
  /** Whether browsers reach it by https. @default false */
  readonly isSecure?: boolean
  /** Proxies in front that append to X-Forwarded-For. @default 0 */
  readonly proxyHops?: number
}

export interface Console extends ConsumerApp<Scope> {
  /** Every part of the page, and who may ask for it. */
  readonly pages: readonly DeclaredPage[]
  readonly streams: EventStreams
}

/** The console as an Express app over its parts: routes for programs, and the page. */
export function createConsole(context: Context, { isSecure = false, proxyHops = 0 }: ConsoleOptions = {}): Console {
  const { guard, onFault } = context
  const streams = new EventStreams(context)
  let pages: readonly DeclaredPage[] = []
  const made = createConsumerApp({ guard, realm: 'support-console', onFault }, (routes) => {
    jsonRoutes(routes, context)
    pages = pageRoutes(routes, context, { streams, isSecure })
  })
  made.app.set('trust proxy', proxyHops)
  return { ...made, pages, streams }
}
