const dayMs = 86_400_000

const formats = new Map<string, Intl.DateTimeFormat>()

function formatOf(zone: string): Intl.DateTimeFormat {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    formats.set(zone, format)
  }
  return format
}

/** Whether this runtime's time-zone data knows the name: an IANA zone, not an offset such as `+02:00`. */
export function isZone(zone: string): boolean {
  if (!/^[A-Za-z]/.test(zone)) return false
  try {
    formatOf(zone)
    return true
  } catch {
    return false
  }
}

/** What the clocks in the zone show at an instant, in milliseconds as if it were UTC. */
export function localMs(zone: string, atMs: number): number {
  const parts = new Map(
    formatOf(zone)
      .formatToParts(atMs)
      .map(({ type, value }) => [type, Number(value)]),
  )
  const part = (name: Intl.DateTimeFormatPartTypes): number => parts.get(name) ?? 0
  return Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'))
}

const offsetMs = (zone: string, atMs: number): number => localMs(zone, atMs) - Math.floor(atMs / 1000) * 1000

/**
 * When the clocks in the zone show a local time (milliseconds as if it were UTC). Twice a year that is not one instant:
 * when clocks go back a time comes twice, when they go forward one is left out and is taken by the offset before and by
 * that after. Both are given, the earlier first; mostly they are the same.
 */
export function instantsOf(zone: string, local: number): readonly [earliestMs: number, latestMs: number] {
  const offsets = [offsetMs(zone, local - dayMs), offsetMs(zone, local + dayMs)]
  const possible = offsets.filter((offset) => offsetMs(zone, local - offset) === offset)
  const instants = (possible.length > 0 ? possible : offsets).map((offset) => local - offset)
  return [Math.min(...instants), Math.max(...instants)]
}
