const v4 = /^(?:\d{1,3}\.){3}\d{1,3}$/

/** What is counted as one address: an IPv4 address, or the first 64 bits of an IPv6 one. Undefined for what is neither. */
export function addressOf(ip: string | null): string | undefined {
  const text = (ip ?? '').split('%')[0]?.toLowerCase() ?? ''
  if (v4.test(text)) return text
  const mapped = /^::ffff:([\d.]+)$/.exec(text)?.[1]
  if (mapped !== undefined) return v4.test(mapped) ? mapped : undefined
  const groups = groupsOf(text)
  if (groups === undefined) return undefined
  const isMapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  if (!isMapped)
    return `${groups
      .slice(0, 4)
      .map((group) => group.toString(16))
      .join(':')}::/64`
  return groups
    .slice(6)
    .flatMap((group) => [group >> 8, group & 0xff])
    .join('.')
}

/** The eight groups of an IPv6 address (RFC 4291 section 2.2). */
function groupsOf(text: string): readonly number[] | undefined {
  if (!/^[0-9a-f:]{2,39}$/.test(text)) return undefined
  const [head = [], tail, ...more] = text.split('::').map((half) => (half === '' ? [] : half.split(':')))
  const zeros = tail === undefined ? [] : Array<string>(Math.max(0, 8 - head.length - tail.length)).fill('0')
  const groups = [...head, ...zeros, ...(tail ?? [])]
  const isGood = more.length === 0 && groups.length === 8 && groups.every((group) => /^[0-9a-f]{1,4}$/.test(group))
  return isGood ? groups.map((group) => Number.parseInt(group, 16)) : undefined
}
