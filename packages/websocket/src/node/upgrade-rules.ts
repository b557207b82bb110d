import type { IncomingMessage } from 'node:http'
import type { UpgradeRefusal } from '../core/events.ts'
import { WebSocketError } from '../errors.ts'

export interface UpgradeRules {
  /** Exactly these origins, as a browser writes them. @default the host that the request names itself */
  readonly origins: ReadonlySet<string> | undefined
  /** Exactly these names in Host; one without a port stands for any. @default on loopback, its own names */
  readonly hosts: ReadonlySet<string> | undefined
  readonly proxyHops: number
}

const statuses = { token_in_url: 400, host: 421, origin: 403 } as const

/** What speaks against an upgrade, or nothing. A value of the request is never repeated. */
export function findFault(
  request: IncomingMessage,
  rules: UpgradeRules,
): { readonly reason: UpgradeRefusal; readonly status: number } | undefined {
  const reason = hasTokenInUrl(request.url ?? '')
    ? 'token_in_url'
    : !isHostAllowed(request, rules)
      ? 'host'
      : !isOriginAllowed(request, rules.origins)
        ? 'origin'
        : undefined
  return reason === undefined ? undefined : { reason, status: statuses[reason] }
}

const tokenName = /^(access[_-]?token|id[_-]?token|token|jwt|auth(orization)?|bearer)$/i
const tokenShape = /eyJ[\w-]{4,}(\.|%2e)[\w-]+(\.|%2e)[\w-]*/i

/** URLs are logged by every proxy on the way: whoever puts a token there has to learn it at the first try. */
function hasTokenInUrl(url: string): boolean {
  if (tokenShape.test(url)) return true
  const query = url.indexOf('?')
  if (query < 0) return false
  for (const name of new URLSearchParams(url.slice(query + 1)).keys()) if (tokenName.test(name)) return true
  return false
}

const loopbackAddress = /^(::ffff:)?127\.|^::1$/
const loopbackName = /^(localhost|([a-z0-9-]+\.)*localhost|127(\.\d{1,3}){3}|\[::1\])$/

/**
 * A page of any site can reach a service on loopback, under a name of its own that it lets point there (DNS rebinding):
 * the name in Host gives it away.
 */
function isHostAllowed({ headers, socket }: IncomingMessage, { hosts, proxyHops }: UpgradeRules): boolean {
  const host = headers.host?.toLowerCase() ?? ''
  const name = host.replace(/:\d+$/, '')
  if (hosts !== undefined) return hosts.has(host) || hosts.has(name)
  return proxyHops > 0 || loopbackName.test(name) || !loopbackAddress.test(socket.localAddress ?? '')
}

function isOriginAllowed({ headers }: IncomingMessage, origins: ReadonlySet<string> | undefined): boolean {
  const { origin } = headers
  // Only browsers send one, and they always do: without cookies there is nothing that others could ride on.
  if (origin === undefined) return true
  if (origin === 'null') return false
  if (origins !== undefined) return origins.has(origin)
  if (!/^https?:\/\//.test(origin) || !URL.canParse(origin)) return false
  const { protocol, host } = new URL(origin)
  const own = `${protocol}//${headers.host ?? ''}`
  return URL.canParse(own) && new URL(own).host === host
}

/** @throws WebSocketError `bad_option` for anything that a browser would not write as an origin */
export function parseOrigins(origins: readonly string[] | undefined): ReadonlySet<string> | undefined {
  return origins && new Set(origins.map(parseOrigin))
}

function parseOrigin(origin: string): string {
  const isWritten = typeof origin === 'string' && /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s*]+$/i.test(origin)
  if (!isWritten || !URL.canParse(origin)) {
    throw new WebSocketError(
      'bad_option',
      `${JSON.stringify(origin)} is no origin: scheme, host and port, nothing else.`,
    )
  }
  const canonical = new URL(origin).origin
  return canonical === 'null' ? origin : canonical
}

/** @throws WebSocketError `bad_option` for anything that is no host with or without a port */
export function parseHosts(hosts: readonly string[] | undefined): ReadonlySet<string> | undefined {
  return (
    hosts &&
    new Set(
      hosts.map((host) => {
        if (typeof host === 'string' && /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i.test(host))
          return host.toLowerCase()
        throw new WebSocketError('bad_option', `${JSON.stringify(host)} is no host: a name, perhaps with a port.`)
      }),
    )
  )
}
