import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { ServerError } from './server-error.ts'

export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void

/** Limits of every HTTP server that we start. */
export const httpLimits = {
  /** Headers in all; past it 431. */
  maxHeaderBytes: 16_384,
  maxHeaders: 100,
  /** From the first byte to the end of the headers; past it 408 and the socket is closed. */
  headersTimeoutMs: 5_000,
  /** The whole request, body included. */
  requestTimeoutMs: 10_000,
  keepAliveTimeoutMs: 65_000,
  /** Idle sockets of any kind. */
  socketTimeoutMs: 70_000,
  maxConnections: 10_000,
  /** How long running requests may take once the service is closing. */
  drainMs: 5_000,
} as const

export interface ListenOptions {
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  /** PEM of a certificate with its chain, and of its key: TLS 1.2 or newer. @default plain HTTP */
  readonly tls?: { readonly cert: string | Buffer; readonly key: string | Buffer }
  /** @default {@link httpLimits} */
  readonly limits?: Partial<{ [Name in keyof typeof httpLimits]: number }>
}

export interface ListeningServer {
  readonly server: Server
  readonly url: string
  /** Takes no new connection, lets running requests end for `drainMs`, then cuts what is left. */
  close(): Promise<void>
}

/** An HTTP or HTTPS server that slow, oversized and ambiguous requests cannot hold: the parser refuses Content-Length beside Transfer-Encoding. */
export async function listen(handler: RequestHandler, options: ListenOptions): Promise<ListeningServer> {
  const limits = { ...httpLimits, ...options.limits }
  const settings = {
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
    insecureHTTPParser: false,
    requireHostHeader: true,
    joinDuplicateHeaders: false,
  }
  const { tls } = options
  const server: Server =
    tls === undefined
      ? createServer(settings, handler)
      : createTlsServer(
          { ...settings, ...tls, minVersion: 'TLSv1.2', handshakeTimeout: limits.headersTimeoutMs },
          handler,
        )
  server.maxHeadersCount = limits.maxHeaders
  server.maxConnections = limits.maxConnections
  server.timeout = limits.socketTimeoutMs
  const closeIdle = followConnections(server, tls === undefined ? 'connection' : 'secureConnection')
  await new Promise<void>((resolve, reject) => {
    const refuse = (cause: Error): void => {
      reject(
        new ServerError(
          'address_unavailable',
          `${options.host}:${options.port} cannot be listened on: ${cause.message}`,
          {
            cause,
          },
        ),
      )
    }
    server.once('error', refuse)
    server.listen(options.port, options.host, () => {
      server.off('error', refuse)
      resolve()
    })
  })
  const { port, family, address } = server.address() as AddressInfo
  return {
    server,
    url: `${tls === undefined ? 'http' : 'https'}://${family === 'IPv6' ? `[${address}]` : address}:${port}`,
    close: () => drain(server, limits.drainMs, closeIdle),
  }
}

function drain(server: Server, drainMs: number, closeIdle: () => void): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), drainMs)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    closeIdle()
  })
}

/**
 * Node's `closeIdleConnections` leaves a connection alone that has not sent anything yet, so they are counted here.
 * @returns closes every connection without a request under way, now and whenever one's request has been answered
 */
function followConnections(server: Server, connected: 'connection' | 'secureConnection'): () => void {
  const running = new Map<Socket, number>()
  let closing = false
  const count = (socket: Socket, change: number): void => {
    const requests = (running.get(socket) ?? 0) + change
    running.set(socket, requests)
    if (closing && requests === 0) socket.end()
  }
  server.on(connected, (socket: Socket) => {
    running.set(socket, 0)
    socket.once('close', () => running.delete(socket))
  })
  server.on('request', ({ socket }, response) => {
    count(socket, 1)
    response.once('close', () => {
      if (running.has(socket)) count(socket, -1)
    })
  })
  return () => {
    closing = true
    for (const [socket, requests] of running) if (requests === 0) socket.end()
  }
}
