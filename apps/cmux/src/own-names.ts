import { isIP } from 'node:net'
import type { RequestHandler } from 'express'

/** The names that this cmux answers to, and the origins of its own pages. */
export interface OwnNames {
  /** As in a Host header, in lower case. */
  readonly hosts: ReadonlySet<string>
  readonly origins: readonly string[]
}

/** By its own URL; on loopback also by the other loopback names at its port. */
export function ownNames(
  publicUrl: string,
  listening: { readonly url: string; readonly isLoopback: boolean },
): OwnNames {
  const urls = [new URL(publicUrl), new URL(listening.url)]
  const { protocol, port } = new URL(listening.url)
  if (listening.isLoopback) {
    for (const name of ['localhost', '127.0.0.1', '[::1]'])
      urls.push(new URL(`${protocol}//${name}:${port || (protocol === 'https:' ? '443' : '80')}`))
  }
  return {
    hosts: new Set(urls.map(({ host }) => host.toLowerCase())),
    origins: [...new Set(urls.map(({ origin }) => origin))],
  }
}

/**
 * A page of any site can reach a service on loopback, under a name of its own that it lets point there (DNS rebinding):
 * the name in Host gives it away.
 */
export function refuseOtherHosts(hosts: ReadonlySet<string>): RequestHandler {
  return (req, res, next) => {
    if (hosts.has(req.headers.host?.toLowerCase() ?? '')) next()
    else
      res.status(421).json({ error: 'wrong_host', error_description: 'This is not the host that the request names.' })
  }
}

/** True for an address or name that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '')
  if (isIP(name) === 4) return name.startsWith('127.')
  return name === '::1' || name === 'localhost'
}
