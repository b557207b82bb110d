/** Whom an IP address leads to: everybody's machine, this machine, or something in between that is nobody else's business. */
export type AddressKind = 'public' | 'loopback' | 'private'

/** Not globally reachable (IANA special-purpose address registries): first address, prefix length. */
const privateV4: readonly (readonly [address: number, prefix: number])[] = [
  [0x00000000, 8],
  [0x0a000000, 8],
  [0x64400000, 10],
  [0xa9fe0000, 16],
  [0xac100000, 12],
  [0xc0000000, 24],
  [0xc0a80000, 16],
  [0xc6120000, 15],
  [0xe0000000, 3],
]

function parseV4(text: string): number | undefined {
  const parts = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text)?.slice(1).map(Number)
  if (parts === undefined || parts.some((part) => part > 255)) return undefined
  return parts.reduce((address, part) => address * 256 + part, 0)
}

function kindOfV4(address: number): AddressKind {
  if (address >>> 24 === 127) return 'loopback'
  return privateV4.some(([first, prefix]) => (address ^ first) >>> (32 - prefix) === 0) ? 'private' : 'public'
}

/** The eight groups of an IPv6 address (RFC 4291 section 2.2), its zone dropped. */
function parseV6(text: string): number[] | undefined {
  const [address = ''] = text.split('%')
  const last = address.lastIndexOf(':') + 1
  const v4 = parseV4(address.slice(last))
  const written =
    v4 === undefined ? address : `${address.slice(0, last)}${(v4 >>> 16).toString(16)}:${(v4 & 0xffff).toString(16)}`
  const halves = written.split('::')
  if (halves.length > 2) return undefined
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const missing = 8 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const groups = [...head, ...Array<string>(missing).fill('0'), ...tail]
  return groups.every((group) => /^[\da-f]{1,4}$/i.test(group))
    ? groups.map((group) => Number.parseInt(group, 16))
    : undefined
}

function kindOfV6(groups: readonly number[]): AddressKind {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups
  const low = g * 65_536 + h
  const zeroes = (a | b | c | d) === 0
  if (zeroes && (e | f) === 0) return low === 1 ? 'loopback' : 'private'
  // IPv4-mapped, NAT64 (RFC 6052) and 6to4 (RFC 3056) lead to the IPv4 address inside.
  if (zeroes && e === 0 && f === 0xffff) return kindOfV4(low)
  if (a === 0x64 && b === 0xff9b && (c | d | e | f) === 0) return kindOfV4(low)
  if (a === 0x2002) return kindOfV4(b * 65_536 + c)
  // Only 2000::/3 is globally reachable.
  return a >>> 13 === 1 ? 'public' : 'private'
}

/** `undefined` if the text is no IP address, with or without the brackets of a URL. */
export function addressKind(text: string): AddressKind | undefined {
  const v4 = parseV4(text)
  if (v4 !== undefined) return kindOfV4(v4)
  const v6 = parseV6(text.replace(/^\[|\]$/g, ''))
  return v6 === undefined ? undefined : kindOfV6(v6)
}
