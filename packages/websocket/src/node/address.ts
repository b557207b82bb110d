import type { IncomingMessage } from 'node:http'
import { isIP, isIPv4, type Socket } from 'node:net'

/**
 * Who shares a limit with the peer of a request: an IPv4 address, or an IPv6 /64, since whoever has one address of it
 * has them all. With `hops` proxies in front, the address is the one that the outermost of them saw.
 */
export function addressGroup(request: IncomingMessage, hops: number): string {
  return groupOf((hops > 0 ? forwardedFor(request, hops) : undefined) ?? peerAddress(request.socket))
}

/** Node keeps an address that was asked for once with its socket, which would be a tenth of what a session takes. */
function peerAddress(socket: Socket & { _peername?: unknown }): string {
  const { remoteAddress = '' } = socket
  if (socket._peername !== undefined) socket._peername = undefined
  return remoteAddress
}

/** What the client sends itself stands further left than the entries of the proxies that are counted. */
function forwardedFor({ headers }: IncomingMessage, hops: number): string | undefined {
  const header = headers['x-forwarded-for']
  const entries = (Array.isArray(header) ? header.join(',') : (header ?? '')).split(',')
  const entry = entries.at(-hops)?.trim() ?? ''
  const address = /^\[([^\]]+)\](?::\d+)?$/.exec(entry)?.[1] ?? /^([\d.]+):\d+$/.exec(entry)?.[1] ?? entry
  return isIP(address) === 0 ? undefined : address
}

function groupOf(address: string): string {
  if (isIPv4(address)) return address
  const [bare = ''] = address.toLowerCase().split('%')
  const mapped = /^::ffff:([\d.]+)$/.exec(bare)?.[1]
  if (mapped !== undefined && isIPv4(mapped)) return mapped
  const [head = '', tail] = bare.split('::')
  const left = head === '' ? [] : head.split(':')
  const right = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? [] : Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0')
  const groups = [...left, ...zeros, ...right].slice(0, 4)
  return `${groups.map((group) => group.replace(/^0+(?=.)/, '')).join(':')}/64`
}
