import { WebSocketError } from '../errors.ts'

/** Lets a client send its token over `ws:` to another machine. For closed test networks only. */
export const allowInsecureUrl: unique symbol = Symbol.for('countersign.allowInsecureUrl')

const loopback = /^(localhost|([a-z0-9-]+\.)*localhost|127(\.\d{1,3}){3}|\[::1\])$/

/** A server refuses them before it looks at anything else, and a browser does not tell its page why. */
const tokenNames: ReadonlySet<string> = new Set(['token', 'access_token', 'jwt'])

/**
 * Where a client connects: absolute, or relative to the page.
 * @throws WebSocketError `bad_option` unless it is `wss:`, or `ws:` to this very machine
 */
export function parseUrl(url: string, allowsInsecure: boolean): string {
  const page: unknown = (globalThis as { location?: { href?: unknown } }).location?.href
  const base = typeof page === 'string' ? page : undefined
  if (!URL.canParse(url, base)) throw new WebSocketError('bad_option', 'The URL is not one.')
  const parsed = new URL(url, base)
  if (parsed.protocol === 'http:') parsed.protocol = 'ws:'
  if (parsed.protocol === 'https:') parsed.protocol = 'wss:'
  if (parsed.protocol !== 'wss:' && parsed.protocol !== 'ws:')
    throw new WebSocketError('bad_option', 'The URL must be wss:.')
  if (parsed.protocol === 'ws:' && !allowsInsecure && !loopback.test(parsed.hostname)) {
    throw new WebSocketError(
      'bad_option',
      'The URL must be wss:, since a token goes over it; ws: is for loopback only.',
    )
  }
  if (parsed.username !== '' || parsed.password !== '' || parsed.hash !== '') {
    throw new WebSocketError('bad_option', 'The URL must have no credentials and no fragment.')
  }
  for (const name of parsed.searchParams.keys()) {
    if (tokenNames.has(name.toLowerCase())) {
      throw new WebSocketError('bad_option', `The URL must have no \`${name}\`: every proxy on the way would log it.`)
    }
  }
  return parsed.href
}
