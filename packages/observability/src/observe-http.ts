import type { IncomingMessage, ServerResponse } from 'node:http'
import { other } from './instruments.ts'
import type { Metrics } from './metrics.ts'
import { quietly } from './observe.ts'

export interface HttpObserverOptions {
  /** The template of the route that a request takes. @default its path, which counts as `other` unless it is on the list */
  readonly route?: (request: IncomingMessage) => string
}

function statusClass(response: ServerResponse): string {
  // A client that left before the headers were sent got no status.
  return response.headersSent ? `${Math.floor(response.statusCode / 100)}xx` : other
}

/**
 * Measures requests, whoever answers them. Call it before the handler: handlers may rewrite the URL.
 *
 * @example
 * const server = createServer(observeHttp(metrics)).on('request', app)
 */
export function observeHttp(
  metrics: Metrics,
  options: HttpObserverOptions = {},
): (request: IncomingMessage, response: ServerResponse) => void {
  const { route = (request) => request.url?.split('?', 1)[0] ?? other } = options
  return (request, response) => {
    const start = performance.now()
    const { method = other } = request
    // Read now: routers rewrite `url`.
    let template = other
    quietly(() => {
      template = route(request)
    })(undefined)
    response.once('close', () => {
      const labels = { method, route: template, status: statusClass(response) }
      metrics.httpDuration.observe(labels, (performance.now() - start) / 1000)
    })
  }
}
