import { createServer, type Socket } from 'node:net'

/** A network between a client and a server on 127.0.0.1, which can be cut or made to stall. */
export interface Proxy {
  readonly host: string
  readonly port: number
  /** Connections that are open now. */
  readonly connections: number
  /** Nothing passes any more, and nobody is told: as when a cable is pulled. */
  stall(): void
  /** What was held passes, and all that comes. */
  resume(): void
  /** Ends every connection; further ones are refused until `resume`. */
  cut(): void
  /** As `cut`, once the server has been sent something that has this text in it; the server's answer is lost. */
  cutAfter(text: string): void
  close(): Promise<void>
}

export async function startProxy(to: { readonly host: string; readonly port: number }): Promise<Proxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let mode: 'open' | 'stalled' | 'cut' = 'open'
  let fatal: string | undefined
  const { connect } = await import('node:net')

  const server = createServer((client) => {
    client.on('error', () => {})
    if (mode === 'cut') {
      client.resetAndDestroy()
      return
    }
    const upstream = connect(to)
    const pair = [client, upstream] as const
    pairs.add(pair)
    for (const socket of pair) {
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        pairs.delete(pair)
        for (const other of pair) other.destroy()
      })
      if (mode === 'stalled') socket.pause()
    }
    client.on('data', (chunk) => {
      upstream.write(chunk)
      if (fatal === undefined || !chunk.includes(fatal)) return
      fatal = undefined
      // The server gets all of it, and answers into the void.
      pairs.delete(pair)
      client.removeAllListeners('close')
      upstream.end()
      client.resetAndDestroy()
    })
    upstream.on('data', (chunk) => {
      if (!client.destroyed) client.write(chunk)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()

  const cut = (): void => {
    mode = 'cut'
    for (const [client, upstream] of pairs) {
      client.resetAndDestroy()
      upstream.destroy()
    }
  }
  return {
    host: '127.0.0.1',
    port: typeof address === 'object' && address !== null ? address.port : 0,
    get connections() {
      return pairs.size
    },
    stall() {
      mode = 'stalled'
      for (const pair of pairs) for (const socket of pair) socket.pause()
    },
    resume() {
      mode = 'open'
      for (const pair of pairs) for (const socket of pair) socket.resume()
    },
    cut,
    cutAfter(text) {
      fatal = text
    },
    async close() {
      cut()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
