import { createServer, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

const limits = {
  maxHeaderSize: 16_384,
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
}
const maxConnections = 1000
/** Milliseconds that requests under way have, once the server is closing. */
const drainMs = 5_000

export interface Listening {
  readonly server: Server
  readonly url: string
  /** Takes no new connection and lets requests under way end, for 5 s at most. */
  close(): Promise<void>
}

/** An HTTP server that slow and idle connections cannot hold. Its requests go to whoever listens to `request`. */
export async function listen(host: string, port: number): Promise<Listening> {
  const server = createServer(limits)
  server.maxConnections = maxConnections
  const closeIdle = followConnections(server)
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const address = server.address() as AddressInfo
  const name = address.family === 'IPv6' ? `[${address.address}]` : address.address
  return {
    server,
    url: `http://${name}:${address.port}`,
    close: () =>
      new Promise((resolve) => {
        const cut = setTimeout(() => server.closeAllConnections(), drainMs)
        server.close(() => {
          clearTimeout(cut)
          resolve()
        })
        closeIdle()
      }),
  }
}

/**
 * Node's `closeIdleConnections` leaves a connection alone that has not sent anything yet, so they are counted here.
 * @returns closes every connection without a request under way, now and whenever one's request has been answered
 */
function followConnections(server: Server): () => void {
  const running = new Map<Socket, number>()
  let closing = false
  const count = (socket: Socket, change: number): void => {
    const requests = (running.get(socket) ?? 0) + change
    running.set(socket, requests)
    if (closing && requests === 0) socket.end()
  }
  server.on('connection', (socket) => {
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
