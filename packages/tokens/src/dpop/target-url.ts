/** Longest URL without its query, in characters. */
const longestUrl = 2_048

/** What RFC 3986 allows, and the characters that the URL standard leaves as they are in a path: `[`, `]`, `^`, `|`. */
const shape =
  /^(https?):\/\/([a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::([0-9]{0,5}))?((?:\/(?:[a-z0-9._~!$&'()*+,;=:@[\]^|-]|%[0-9a-f]{2})*)*)$/i

const unreserved = /[A-Za-z0-9._~-]/

/** RFC 3986 section 6.2.2.1 and 6.2.2.2: what needs no escape has none, every other one is upper case. */
function normalizeEscapes(path: string): string {
  return path.replace(/%[0-9a-f]{2}/gi, (escaped) => {
    const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16))
    return unreserved.test(character) ? character : escaped.toUpperCase()
  })
}

/**
 * The URL that a proof is for, so that two spellings of one URL are equal text: no query, no fragment, scheme and host in
 * lower case, no default port, `/` for no path, escapes as RFC 3986 section 6.2.2 has them.
 *
 * Nothing else is made equal: a final slash, two slashes, `%2F`, the case of the path, a final dot of the host all count.
 * `undefined` for what servers and proxies read differently: a user before the host, `.` and `..` segments in any
 * spelling, backslashes, control characters, anything beyond ASCII, more than 2,048 characters.
 */
export function targetUrl(url: string): string | undefined {
  const end = url.search(/[?#]/)
  const target = end < 0 ? url : url.slice(0, end)
  if (target.length > longestUrl) return undefined
  const [, scheme = '', host = '', port = '', rawPath = ''] = shape.exec(target) ?? []
  if (scheme === '' || Number(port) > 65_535) return undefined
  const path = normalizeEscapes(rawPath)
  if (path.split('/').some((segment) => segment === '.' || segment === '..')) return undefined
  const isDefault = port === '' || Number(port) === (scheme.toLowerCase() === 'https' ? 443 : 80)
  const origin = `${scheme}://${host}`.toLowerCase()
  return `${origin}${isDefault ? '' : `:${Number(port)}`}${path || '/'}`
}
