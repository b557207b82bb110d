import { createServer, type Server } from 'node:http'

export interface Listening {
  readonly server: Server
  readonly origin: string
  close(): Promise<void>
}

/** Listens first, since an issuer's name holds its port. */
export async function listenOnLoopback(): Promise<Listening> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    server,
    origin: `http://127.0.0.1:${address.port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
