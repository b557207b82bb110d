import { KeysError } from '../keys-error.ts'
import { instantsOf, isZone, localMs } from './local-time.ts'

/** Days of the week, as in {@link Blackout}. */
export type Weekday = 'sun' | 'mon' | 'tue' | 'wed' | 'thu' | 'fri' | 'sat'

/** A time in which keys are not changed by plan: every day or on some days of the week, or once. */
export interface Blackout {
  /** `HH:MM`, each day; or `YYYY-MM-DDTHH:MM`, once. By the clocks in `zone`. */
  readonly from: string
  /** In the form of `from`, not included. A time of day before `from` is on the day after; `24:00` is midnight. */
  readonly to: string
  /** IANA name, such as `Europe/Zurich`. */
  readonly zone: string
  /** With times of day only: the days on which it begins. @default every day */
  readonly days?: readonly Weekday[]
}

/** Unix seconds; `to` is not included. */
export interface Interval {
  readonly from: number
  readonly to: number
}

/** A checked blackout as intervals. Days are counted from the Unix epoch, by the clocks in the zone. */
export interface Recurrence {
  readonly text: string
  /** The local day of an instant. */
  dayOf(at: number): number
  /** The interval that begins on that day, if one does. */
  on(day: number): Interval | undefined
  /** The days on which intervals may begin; undefined: any. */
  readonly only: number | undefined
}

const dayMs = 86_400_000
const weekdays: readonly Weekday[] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']
/** 1970-01-01 was a Thursday. */
const weekdayOf = (day: number): Weekday => weekdays[(((day + 4) % 7) + 7) % 7] ?? 'sun'
const timeOfDay = /^(\d\d):([0-5]\d)$/
const onceForm = /^\d{4}-\d\d-\d\dT\d\d:\d\d$/

const invalid = (text: string): KeysError => new KeysError('policy_invalid', text)

function minutesOf(value: string, most: number, name: string): number {
  const [, hours, minutes] = timeOfDay.exec(value) ?? []
  const found = Number(hours) * 60 + Number(minutes)
  if (!(found <= most)) throw invalid(`${name} must be HH:MM or YYYY-MM-DDTHH:MM, not ${value.slice(0, 40)}`)
  return found
}

function localOf(value: string, name: string): number {
  const local = Date.parse(`${value}:00Z`)
  // The same again: otherwise it was a day such as the 31st of a month of 30.
  if (!onceForm.test(value) || Number.isNaN(local) || new Date(local).toISOString().slice(0, 16) !== value) {
    throw invalid(`${name} must be YYYY-MM-DDTHH:MM like the other end, not ${value.slice(0, 40)}`)
  }
  return local
}

/** The longer reading of a time that comes twice or not at all: a blackout is never shorter than it is written. */
function intervalOf(zone: string, fromLocal: number, toLocal: number): Interval {
  return { from: instantsOf(zone, fromLocal)[0] / 1000, to: instantsOf(zone, toLocal)[1] / 1000 }
}

/** @throws KeysError `policy_invalid`, naming the setting */
export function readBlackout({ from, to, zone, days }: Blackout, name: string): Recurrence {
  for (const [member, value] of Object.entries({ from, to, zone })) {
    if (typeof value !== 'string') throw invalid(`${name}.${member} must be a string`)
  }
  if (!isZone(zone)) throw invalid(`${name}.zone must be an IANA time zone, not ${zone.slice(0, 40)}`)
  const text = `${from} to ${to} ${zone}`
  const dayOf = (at: number): number => Math.floor(localMs(zone, at * 1000) / dayMs)

  if (from.includes('T')) {
    if (days !== undefined) throw invalid(`${name}.days is for times of day only`)
    const interval = intervalOf(zone, localOf(from, `${name}.from`), localOf(to, `${name}.to`))
    if (interval.from >= interval.to) throw invalid(`${name}: ${text} ends before it begins`)
    const only = dayOf(interval.from)
    return { text, dayOf, only, on: (day) => (day === only ? interval : undefined) }
  }

  const begins = minutesOf(from, 23 * 60 + 59, `${name}.from`)
  const ends = minutesOf(to, 24 * 60, `${name}.to`)
  if (begins === ends) throw invalid(`${name}: ${text} has no length; a whole day is 00:00 to 24:00`)
  if (days !== undefined && !(Array.isArray(days) && days.length > 0 && days.every((day) => weekdays.includes(day)))) {
    throw invalid(`${name}.days must be some of ${weekdays.join(', ')}`)
  }
  const length = (ends > begins ? ends : ends + 24 * 60) - begins
  const known = new Map<number, Interval>()
  return {
    text: days === undefined ? text : `${text} on ${days.join(', ')}`,
    dayOf,
    only: undefined,
    on(day) {
      if (days !== undefined && !days.includes(weekdayOf(day))) return undefined
      let interval = known.get(day)
      if (interval === undefined) {
        const fromLocal = day * dayMs + begins * 60_000
        interval = intervalOf(zone, fromLocal, fromLocal + length * 60_000)
        if (known.size >= 1000) known.clear()
        known.set(day, interval)
      }
      return interval
    },
  }
}
