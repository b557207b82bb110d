import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { MetricsRegistry } from './metrics.ts'
import { ObservabilityError } from './observability-error.ts'

export interface MetricsServerOptions {
  readonly registry: MetricsRegistry
  /** @default '127.0.0.1': metrics say much about a service, and there is no password on them */
  readonly host?: string
  /** 0 picks a free one. */
  readonly port: number
}

export interface MetricsServer {
  /** Such as `http://127.0.0.1:4601/metrics`. */
  readonly url: string
  close(): Promise<void>
}

/**
 * Serves `GET /metrics` (and HEAD) on a port of its own, and nothing else.
 *
 * @throws ObservabilityError `metrics_listen_failed` when the port cannot be had
 */
export async function startMetricsServer(options: MetricsServerOptions): Promise<MetricsServer> {
  const { registry, host = '127.0.0.1' } = options
  const server = createServer(
    { maxHeaderSize: 8192, headersTimeout: 5000, requestTimeout: 10_000, connectionsCheckingInterval: 1000 },
    (request, response) => {
      // A scrape has no body; unread ones must not keep the connection.
      request.resume()
      const path = request.url?.split('?', 1)[0]
      if (path !== '/metrics') {
        response.writeHead(404, { 'Content-Type': 'text/plain; charset=utf-8' }).end('Not found\n')
        return
      }
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        response.writeHead(405, { Allow: 'GET, HEAD', 'Content-Type': 'text/plain; charset=utf-8' })
        response.end('Method not allowed\n')
        return
      }
      registry.metrics().then(
        (text) => {
          response.writeHead(200, {
            'Content-Type': registry.contentType,
            'Content-Length': Buffer.byteLength(text),
            'Cache-Control': 'no-store',
          })
          response.end(request.method === 'HEAD' ? undefined : text)
        },
        () => {
          response.writeHead(500, { 'Content-Type': 'text/plain; charset=utf-8' }).end('Metrics failed\n')
        },
      )
    },
  )
  server.maxConnections = 64
  server.maxHeadersCount = 50
  await listen(server, host, options.port)
  const { address, family, port } = server.address() as AddressInfo
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/metrics`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (cause: Error): void => {
      const message = `${host}:${port} cannot be listened on: ${cause.message}`
      reject(new ObservabilityError('metrics_listen_failed', message, { cause }))
    }
    server.once('error', refuse)
    server.listen({ host, port, exclusive: true }, () => {
      server.off('error', refuse)
      resolve()
    })
  })
}
