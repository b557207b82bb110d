/** `2026-11-21 22:54:38Z`: an instant (Unix seconds) as people read it; `-` for none. */
export function instant(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return '-'
  const date = new Date(seconds * 1000)
  if (Number.isNaN(date.getTime())) return `${seconds} s`
  return `${date.toISOString().slice(0, 19).replace('T', ' ')}Z`
}

/** Each unit, and from how many seconds on it is used. */
const units: readonly (readonly [size: number, name: string, from: number])[] = [
  [86_400, 'd', 2 * 86_400],
  [3_600, 'h', 2 * 3_600],
  [60, 'min', 120],
  [1, 's', 0],
]

function inUnits(seconds: number, round: (value: number) => number): string {
  const whole = Math.max(0, round(seconds))
  const [size, name] = units.find(([, , from]) => whole >= from) ?? [1, 's']
  if (size === 60 && whole % 60 !== 0) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${round(whole / size)} ${name}`
}

/** A wait: `45 s`, `62 min 30 s`, `5 h`, as exact as it needs to be. Rounded up: nothing is promised early. */
export function wait(seconds: number): string {
  return inUnits(seconds, Math.ceil)
}

/** How old something is, in whole units that have passed. */
export function age(seconds: number): string {
  return inUnits(seconds, Math.floor)
}

/** `in 62 min 30 s`, `3 d ago`, `now`. */
export function fromNow(at: number, now: number): string {
  const away = at - now
  if (Math.abs(away) < 1) return 'now'
  return away > 0 ? `in ${wait(away)}` : `${age(-away)} ago`
}
