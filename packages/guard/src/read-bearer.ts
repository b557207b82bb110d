import type { Credentials } from './guard.ts'

/** Fetch's `Headers`, or Node's `IncomingHttpHeaders`. */
export type HeadersLike =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>

/** Node's `IncomingMessage`, an Express request, a Fetch `Request`: any of them as it is. */
export interface RequestLike {
  readonly headers: HeadersLike
  /** Node keeps the first of several Authorization headers and drops the others: only here can they be counted. */
  readonly rawHeaders?: readonly string[]
  readonly url?: string | undefined
}

/** RFC 6750 section 2.1: the scheme in any case, spaces, and exactly one token in its alphabet. */
const bearer = /^bearer +([A-Za-z0-9\-._~+/]+=*)$/i
const bearerScheme = /^bearer(?![!#$%&'*+\-.^_`|~\w])/i
const secondBearer = /,\s*bearer(\s|$)/i

/**
 * Reads the access token from the Authorization header, and from nowhere else: a token in a query, cookie or body is
 * never read (RFC 9700 section 4.3.2). The result goes to `guard.admit`.
 *
 * `invalidRequest` (RFC 6750 section 3.1) when there are two Authorization headers, two credentials in one, a Bearer
 * header of another form, or an `access_token` in the URL. Another scheme is no token at all.
 */
export function readBearer(request: RequestLike): Credentials {
  const proof = header(request.headers, 'dpop')
  const more = proof === undefined ? {} : { proof: typeof proof === 'string' ? proof : proof.join(', ') }
  const value = header(request.headers, 'authorization')
  if (hasQueryToken(request.url) || countAuthorization(request.rawHeaders) > 1 || Array.isArray(value)) {
    return { token: undefined, invalidRequest: true }
  }
  if (typeof value !== 'string') return { token: undefined, ...more }
  const token = bearer.exec(value)?.[1]
  if (token !== undefined) return { token, ...more }
  const wrong = value.trim() === '' || bearerScheme.test(value) || secondBearer.test(value)
  return wrong ? { token: undefined, invalidRequest: true } : { token: undefined, ...more }
}

const plainScheme = 'Bearer '

/**
 * What stands behind `Bearer ` where nothing else needs a look: one such header, no proof, no `access_token` in the URL.
 * Its characters are not checked: only for comparing with tokens that are known.
 */
export function readPlainBearer({ headers, rawHeaders, url }: RequestLike): string | undefined {
  // Each name by itself: a property that is found by a variable name takes several times as long.
  const value = isFetchHeaders(headers) ? headers.get('authorization') : headers.authorization
  if (typeof value !== 'string' || !value.startsWith(plainScheme) || value.length === plainScheme.length)
    return undefined
  const proof = isFetchHeaders(headers) ? (headers.get('dpop') ?? undefined) : headers.dpop
  if (proof !== undefined || countAuthorization(rawHeaders) > 1 || hasQueryToken(url)) return undefined
  return value.slice(plainScheme.length)
}

function header(headers: HeadersLike, name: string): string | readonly string[] | undefined {
  if (isFetchHeaders(headers)) return headers.get(name) ?? undefined
  return headers[name]
}

function isFetchHeaders(headers: HeadersLike): headers is { get(name: string): string | null } {
  return typeof headers.get === 'function'
}

function countAuthorization(rawHeaders: readonly string[] | undefined): number {
  let count = 0
  for (let index = 0; index < (rawHeaders?.length ?? 0); index += 2) {
    const name = rawHeaders?.[index]
    if (name?.length === 13 && (name === 'Authorization' || name.toLowerCase() === 'authorization')) count += 1
  }
  return count
}

function hasQueryToken(url: string | undefined): boolean {
  const start = url?.indexOf('?') ?? -1
  if (url === undefined || start < 0) return false
  return new URLSearchParams(url.slice(start + 1)).has('access_token')
}
