import { McpGuardError } from '../errors.ts'

/** Which hosts and origins a request may name (DNS rebinding). */
export interface BrowserRules {
  isHostAllowed(host: string | null | undefined): boolean
  isOriginAllowed(origin: string | null | undefined, host: string | null | undefined): boolean
}

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/**
 * A page of any site can reach a service on loopback under a name of its own that it lets point there: the name in Host
 * gives it away. The names of loopback are no such name, so proxies may use them.
 *
 * @throws McpGuardError `bad_option` for what is no host or no origin
 */
export function createBrowserRules(
  resource: URL,
  hosts: readonly string[] | undefined,
  origins: readonly string[] | undefined,
): BrowserRules {
  const names = new Set((hosts ?? [resource.host, resource.hostname]).map(parseHost))
  const pages = new Set([...(origins ?? []).map(parseOrigin), resource.origin])
  return {
    isHostAllowed(value) {
      const host = value?.toLowerCase() ?? ''
      const name = host.replace(/:\d+$/, '')
      return names.has(host) || names.has(name) || (hosts === undefined && loopback.test(name))
    },
    isOriginAllowed(origin, host) {
      // Only browsers send one, and they always do.
      if (origin === undefined || origin === null) return true
      if (pages.has(origin)) return true
      // A page of the very host that was asked; Host itself was checked before.
      return origins === undefined && (origin === `https://${host}` || origin === `http://${host}`)
    },
  }
}

function parseHost(host: unknown): string {
  if (typeof host === 'string' && /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i.test(host)) return host.toLowerCase()
  throw new McpGuardError('bad_option', `hosts: ${JSON.stringify(host)} is no name, with or without a port.`)
}

function parseOrigin(origin: unknown): string {
  const isWritten = typeof origin === 'string' && /^[a-z][a-z0-9+.-]*:\/\/[^/?#@\s*]+$/i.test(origin)
  if (!isWritten || !URL.canParse(origin)) {
    throw new McpGuardError('bad_option', `origins: ${JSON.stringify(origin)} is no scheme, host and port.`)
  }
  const canonical = new URL(origin).origin
  return canonical === 'null' ? origin : canonical
}
