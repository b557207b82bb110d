import type { RequestListener } from 'node:http'
import { request } from 'node:http'

/**
 * Puts a token on whatever passes: for clients that cannot be given one. Everything else stays as it is, `Host` too, so
 * that the server behind sees what it would see without it.
 */
export function tokenProxy(target: string, getToken: () => Promise<string>): RequestListener {
  const { hostname, port } = new URL(target)
  return (incoming, outgoing) => {
    const pass = async (): Promise<void> => {
      const headers = { ...incoming.headers, authorization: `Bearer ${await getToken()}` }
      const { method, url: path } = incoming
      const onward = request({ hostname, port, method, path, headers }, (response) => {
        outgoing.writeHead(response.statusCode ?? 502, response.headers)
        // Before the first event of a stream there is nothing to write.
        outgoing.flushHeaders()
        response.pipe(outgoing)
        response.on('error', () => outgoing.destroy())
      })
      onward.on('error', () => outgoing.destroy())
      outgoing.on('close', () => onward.destroy())
      incoming.pipe(onward)
    }
    pass().catch(() => outgoing.destroy())
  }
}
