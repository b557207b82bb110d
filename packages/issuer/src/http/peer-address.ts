import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'

/**
 * The address that failures are counted under. X-Forwarded-For is read only as far as the configured number of proxies
 * vouches for: each of them appended the address it saw, so the caller's own inventions sit further left.
 */
export function peerAddress(request: IncomingMessage, trustedHops: number): string | undefined {
  const peer = request.socket.remoteAddress
  const forwarded = request.headers['x-forwarded-for']
  if (trustedHops === 0 || typeof forwarded !== 'string') return peer
  const hops = forwarded.split(',').reverse().slice(0, trustedHops)
  let address = peer
  for (const hop of hops) {
    const text = hop.trim().replace(withPort, '$1$2')
    // An entry that is no address was not written by a proxy that appends what it sees.
    if (isIP(text) === 0) break
    address = text
  }
  return address
}

/** Some proxies append the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
const withPort = /^(?:\[([^\]]*)\](?::\d+)?|([^:]*):\d+)$/
