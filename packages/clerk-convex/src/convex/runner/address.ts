/** What is counted as one address: an IPv4 address, or the first 64 bits of an IPv6 one. Undefined for what is neither. */
export function addressOf(ip: string | null): string | undefined {
  const v4 = /^(?:::ffff:)?(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(ip ?? '')?.[1]
  if (v4 !== undefined) return v4
  const text = (ip ?? '').split('%')[0] ?? ''
  if (!/^[0-9a-f:]{2,39}$/i.test(text) || !text.includes(':')) return undefined
  const [before = '', after] = text.toLowerCase().split('::')
  const head = before === '' ? [] : before.split(':')
  const tail = after === undefined || after === '' ? [] : after.split(':')
  const zeros = after === undefined ? [] : Array<string>(Math.max(0, 8 - head.length - tail.length)).fill('0')
  const groups = [...head, ...zeros, ...tail].slice(0, 4).map((group) => group.replace(/^0+(?=.)/, ''))
  return `${groups.join(':')}::/64`
}
