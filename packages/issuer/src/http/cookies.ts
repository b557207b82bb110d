import type { IncomingMessage } from 'node:http'
import { refreshTokenPrefix } from '../random.ts'
import { refusal } from '../refusals.ts'

/**
 * The cookie that holds a browser client's refresh token: one for each client, since two apps may share the service.
 *
 * Over https it is `__Host-…; Secure`. Over http, which only loopback issuers may use, browsers disagree on whether
 * `Secure` and `__Host-` work there (Safari says no), so both are left out.
 */
export interface RefreshCookies {
  of(request: IncomingMessage, clientId: string): string | undefined
  /** The only one there is; undefined if there is none, or more than one. */
  only(request: IncomingMessage): string | undefined
  set(clientId: string, token: string, lifeSeconds: number): string
  clear(clientId: string): string
}

export function createRefreshCookies(secure: boolean): RefreshCookies {
  const prefix = secure ? '__Host-countersign-' : 'countersign-'
  const attributes = `Path=/; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`

  function read(request: IncomingMessage): ReadonlyMap<string, string> {
    const found = new Map<string, string>()
    const header = request.headers.cookie
    if (header === undefined) return found
    for (const part of header.split(';')) {
      const equals = part.indexOf('=')
      if (equals < 0) continue
      const name = part.slice(0, equals).trim()
      const value = part.slice(equals + 1).trim()
      if (!name.startsWith(prefix) || !value.startsWith(refreshTokenPrefix)) continue
      if (found.has(name)) throw refusal('header_repeated')
      found.set(name, value)
    }
    return found
  }

  return {
    of: (request, clientId) => read(request).get(prefix + clientId),
    only(request) {
      const all = [...read(request).values()]
      return all.length === 1 ? all[0] : undefined
    },
    set: (clientId, token, lifeSeconds) => `${prefix}${clientId}=${token}; Max-Age=${lifeSeconds}; ${attributes}`,
    clear: (clientId) => `${prefix}${clientId}=; Max-Age=0; ${attributes}`,
  }
}
