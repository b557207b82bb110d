import { KeysError } from '../keys-error.ts'
import { type Blackout, type Interval, type Recurrence, readBlackout } from './blackout.ts'

/** When keys may be changed by plan. All in Unix seconds. */
export interface Calendar {
  /** The instant itself if it is open, otherwise the end of the blackout, or of all that join it. */
  nextOpen(at: number): number
  /** The instant itself if it is closed, otherwise when the next blackout begins; Infinity: never. */
  nextClosed(at: number): number
  /** The newest opening of at least `leastSeconds` that has begun before the instant, cut off there. */
  openingBefore(at: number, leastSeconds: number): Interval | undefined
  /** The blackouts of which some part lies within, as they are written. */
  namesBetween(from: number, to: number): readonly string[]
}

/** Whatever is asked, no more than this many joining blackouts are followed: years of days. */
const mostSteps = 2000
/** A weekly blackout begins at least once within so many days. */
const weekDays = 8
/** How long before a day's end its blackout may have begun: it may cross midnight, and local days are up to 25 h long. */
const backDays = 2
/** Where clocks go forward at midnight, a blackout from 00:00 on begins late on the day before, by its longer reading. */
const aheadDays = 1
/** More blackouts than this are refused. */
const mostBlackouts = 64

/**
 * @param leadSeconds additional openings of the same blackouts, so much earlier: a change that must be followed by another
 * one after as long is only begun when both are outside
 * @throws KeysError `policy_invalid`, naming the setting
 */
export function createCalendar(blackouts: readonly Blackout[], leadSeconds = 0): Calendar {
  if (!Array.isArray(blackouts) || blackouts.length > mostBlackouts) {
    throw new KeysError('policy_invalid', `blackouts must be a list of at most ${mostBlackouts}`)
  }
  const read = blackouts.map((blackout, index) => readBlackout(blackout, `blackouts.${index}`))
  const all = leadSeconds === 0 ? read : [...read, ...read.map((one) => earlier(one, leadSeconds))]

  /** The intervals that begin from `back` days before the day of the instant until `ahead` days after it. */
  function* around(at: number, back: number, ahead: number): Generator<Interval> {
    for (const { dayOf, on, only } of all) {
      const day = only ?? dayOf(at)
      for (let one = only ?? day - back; one <= (only ?? day + ahead); one += 1) {
        const interval = on(one)
        if (interval !== undefined) yield interval
      }
    }
  }

  function nextOpen(at: number): number {
    if (!Number.isFinite(at)) return at
    let open = at
    for (let step = 0; step < mostSteps; step += 1) {
      let end = open
      for (const { from, to } of around(open, backDays, aheadDays))
        if (from <= open && open < to) end = Math.max(end, to)
      if (end === open) return open
      open = end
    }
    return Number.POSITIVE_INFINITY
  }

  function nextClosed(at: number): number {
    let next = Number.POSITIVE_INFINITY
    for (const { from, to } of around(at, backDays, weekDays)) if (to > at) next = Math.min(next, Math.max(from, at))
    return next
  }

  /** Where the blackouts begin that end at the instant or hold there; the instant itself if none do. */
  function closedSince(at: number): number {
    let since = at
    for (let step = 0; step < mostSteps; step += 1) {
      let start = since
      for (const { from, to } of around(since, backDays, aheadDays))
        if (from < since && since <= to) start = Math.min(start, from)
      if (start === since) return since
      since = start
    }
    return Number.NEGATIVE_INFINITY
  }

  function openingBefore(at: number, leastSeconds: number): Interval | undefined {
    let end = at
    for (let step = 0; step < mostSteps; step += 1) {
      end = closedSince(end)
      if (end === Number.NEGATIVE_INFINITY) return undefined
      let from = Number.NEGATIVE_INFINITY
      for (const { to } of around(end, backDays + weekDays, aheadDays)) if (to < end) from = Math.max(from, to)
      if (end - from >= leastSeconds) return { from, to: end }
      end = from
    }
    return undefined
  }

  return {
    nextOpen,
    nextClosed,
    openingBefore,
    namesBetween: (from, to) =>
      read
        .filter(({ dayOf, on, only }) => {
          const first = only ?? dayOf(from) - backDays
          const last = only ?? Math.min(dayOf(to), first + backDays + weekDays)
          for (let day = first; day <= last; day += 1) {
            const interval = on(day)
            if (interval !== undefined && interval.from < to && from < interval.to) return true
          }
          return false
        })
        .map(({ text }) => text),
  }
}

function earlier({ text, dayOf, on, only }: Recurrence, seconds: number): Recurrence {
  const shifted = (interval: Interval | undefined): Interval | undefined =>
    interval === undefined ? undefined : { from: interval.from - seconds, to: interval.to - seconds }
  return { text, only, dayOf: (at) => dayOf(at + seconds), on: (day) => shifted(on(day)) }
}
