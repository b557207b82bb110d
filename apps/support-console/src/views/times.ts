import { type Html, html } from '../html.ts'

/** `2026-11-22 07:20:05 UTC`, for machines too. */
export function instant(at: number): Html {
  const iso = new Date(Math.floor(at) * 1000).toISOString()
  return html`<time datetime="${iso}">${iso.slice(0, 19).replace('T', ' ')} UTC</time>`
}

const units: readonly (readonly [seconds: number, name: string])[] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
]

/** `in 12 min`, `3 d ago`. */
export function relative(at: number, now: number): string {
  const away = Math.abs(at - now)
  const [seconds, name] = units.find(([size]) => away >= size) ?? [1, 's']
  const amount = `${Math.floor(away / seconds)} ${name}`
  return at > now ? `in ${amount}` : `${amount} ago`
}
