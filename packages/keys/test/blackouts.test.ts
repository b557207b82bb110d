import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCalendar } from '../src/blackouts/calendar.ts'
import { type Blackout, isKeysError, type KeyAuditEvent, type KeyPolicy, resolvePolicy } from '../src/index.ts'
import { createFakeClock } from './fake-clock.ts'
import { day, issuer, openRing } from './ring-fixture.ts'

const at = (text: string): number => Date.parse(text) / 1000
const iso = (seconds: number): string => new Date(seconds * 1000).toISOString().replace(':00.000Z', 'Z')

const officeHours: Blackout = {
  from: '09:00',
  to: '17:00',
  zone: 'Europe/Zurich',
  days: ['mon', 'tue', 'wed', 'thu', 'fri'],
}
const base: KeyPolicy = { accessTokenLifeSeconds: 600 }

describe('a calendar', () => {
  const zurich = createCalendar([officeHours])
  it.each([
    // 2026-03-27 is a Friday; the clocks go forward on Sunday the 29th.
    ['before work', '2026-03-27T07:59Z', '2026-03-27T07:59Z'],
    ['at nine sharp in winter', '2026-03-27T08:00Z', '2026-03-27T16:00Z'],
    ['in the afternoon', '2026-03-27T15:59Z', '2026-03-27T16:00Z'],
    ['at five sharp', '2026-03-27T16:00Z', '2026-03-27T16:00Z'],
    ['on Saturday', '2026-03-28T12:00Z', '2026-03-28T12:00Z'],
    ['at nine sharp in summer', '2026-03-30T07:00Z', '2026-03-30T15:00Z'],
    ['before nine in summer', '2026-03-30T06:59Z', '2026-03-30T06:59Z'],
  ])('opens again: %s', (_when, instant, opens) => {
    expect(iso(zurich.nextOpen(at(instant)))).toBe(opens)
  })

  it('closes next on Monday, after the weekend in which the clocks go forward', () => {
    expect(iso(zurich.nextClosed(at('2026-03-27T16:00Z')))).toBe('2026-03-30T07:00Z')
    expect(zurich.nextClosed(at('2026-03-27T10:00Z'))).toBe(at('2026-03-27T10:00Z'))
  })

  const night: Blackout = { from: '22:30', to: '02:30', zone: 'Europe/Zurich' }
  it.each([
    ['crosses midnight', '2026-02-01T23:00Z', '2026-02-02T01:30Z'],
    // 02:00 becomes 03:00: there is no half past two; the later reading is half past three in summer time.
    ['ends at a time that is left out', '2026-03-28T23:00Z', '2026-03-29T01:30Z'],
    // 03:00 becomes 02:00: half past two comes twice, and the blackout lasts until the second.
    ['ends at a time that comes twice', '2026-10-24T23:00Z', '2026-10-25T01:30Z'],
  ])('%s', (_what, instant, opens) => {
    expect(iso(createCalendar([night]).nextOpen(at(instant)))).toBe(opens)
  })

  it('begins at the earlier of a time that comes twice, and before one that is left out', () => {
    const early = createCalendar([{ from: '02:30', to: '04:00', zone: 'Europe/Zurich' }])
    expect(iso(early.nextClosed(at('2026-10-24T12:00Z')))).toBe('2026-10-25T00:30Z')
    expect(iso(early.nextOpen(at('2026-10-25T00:30Z')))).toBe('2026-10-25T03:00Z')
    expect(iso(early.nextClosed(at('2026-03-28T12:00Z')))).toBe('2026-03-29T00:30Z')
    expect(iso(early.nextOpen(at('2026-03-29T00:30Z')))).toBe('2026-03-29T02:00Z')
  })

  it('knows zones that change by half an hour, that are far ahead, and the other half of the world', () => {
    const of = (zone: string) => createCalendar([{ from: '00:00', to: '24:00', zone, days: ['sun'] }])
    // Lord Howe: UTC+11 in summer, +10:30 from 2026-04-05, 02:00 on.
    expect(iso(of('Australia/Lord_Howe').nextClosed(at('2026-04-04T00:00Z')))).toBe('2026-04-04T13:00Z')
    expect(iso(of('Australia/Lord_Howe').nextOpen(at('2026-04-04T13:00Z')))).toBe('2026-04-05T13:30Z')
    expect(iso(of('Pacific/Kiritimati').nextClosed(at('2026-01-02T00:00Z')))).toBe('2026-01-03T10:00Z')
    expect(iso(of('America/St_Johns').nextClosed(at('2026-01-02T00:00Z')))).toBe('2026-01-04T03:30Z')
  })

  it('holds where clocks go forward at midnight, so that there is no 00:00 on that day', () => {
    // Beirut, 2026-03-29: 00:00 becomes 01:00, which is 22:00 UTC of the day before.
    const calendar = createCalendar([{ from: '00:00', to: '06:00', zone: 'Asia/Beirut' }])
    expect(iso(calendar.nextClosed(at('2026-03-28T12:00Z')))).toBe('2026-03-28T21:00Z')
    expect(iso(calendar.nextOpen(at('2026-03-28T21:30Z')))).toBe('2026-03-29T03:00Z')
    expect(calendar.nextClosed(at('2026-03-28T21:30Z'))).toBe(at('2026-03-28T21:30Z'))
    expect(iso(calendar.openingBefore(at('2026-03-28T21:30Z'), 900)?.to ?? 0)).toBe('2026-03-28T21:00Z')
  })

  it('takes dated blackouts, which join weekly ones', () => {
    const calendar = createCalendar([
      officeHours,
      { from: '2026-12-24T17:00', to: '2027-01-04T09:00', zone: 'Europe/Zurich' },
    ])
    expect(iso(calendar.nextOpen(at('2026-12-24T10:00Z')))).toBe('2027-01-04T16:00Z')
    expect(calendar.openingBefore(at('2026-12-30T00:00Z'), 900)).toEqual({
      from: at('2026-12-23T16:00Z'),
      to: at('2026-12-24T08:00Z'),
    })
    expect(calendar.openingBefore(at('2026-12-30T00:00Z'), day)).toEqual({
      from: at('2026-12-18T16:00Z'),
      to: at('2026-12-21T08:00Z'),
    })
  })

  it('agrees with the clocks in the zone, minute by minute', () => {
    const zones = [
      'Europe/Zurich',
      'America/New_York',
      'Australia/Lord_Howe',
      'Asia/Kathmandu',
      'Africa/Casablanca',
      'Asia/Beirut',
      'America/Santiago',
      'UTC',
    ]
    const minute = fc.integer({ min: at('2024-01-01T00:00Z') / 60, max: at('2028-01-01T00:00Z') / 60 })
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        minute,
        fc.nat(23),
        fc.integer({ min: 1, max: 24 }),
        (zone, when, from, hours) => {
          const two = (value: number) => String(value).padStart(2, '0')
          const to = from + hours > 24 ? from + hours - 24 : from + hours
          if (to === from) return
          const calendar = createCalendar([{ from: `${two(from)}:00`, to: `${two(to)}:00`, zone }])
          const hour = Number(
            new Intl.DateTimeFormat('en-US', { timeZone: zone, hourCycle: 'h23', hour: 'numeric' }).format(
              when * 60_000,
            ),
          )
          const written = to > from ? hour >= from && hour < to : hour >= from || hour < to
          const closed = calendar.nextOpen(when * 60) > when * 60
          // Never shorter than written; longer only within an hour or so of a change of the clocks.
          if (written) expect(closed).toBe(true)
          expect(calendar.nextClosed(when * 60) > when * 60).toBe(!closed)
          const end = calendar.nextOpen(when * 60)
          if (Number.isFinite(end)) expect(calendar.nextOpen(end)).toBe(end)
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('blackouts that are refused', () => {
  const refused: [why: string, blackout: object, names: string][] = [
    ['an unknown zone', { ...officeHours, zone: 'Europe/Zuerich' }, 'blackouts.0.zone'],
    ['an offset for a zone', { ...officeHours, zone: '+02:00' }, 'blackouts.0.zone'],
    ['no zone', { from: '09:00', to: '17:00' }, 'blackouts.0.zone'],
    ['an hour that there is not', { ...officeHours, from: '25:00' }, 'blackouts.0.from'],
    ['a beginning at midnight of the day after', { ...officeHours, from: '24:00' }, 'blackouts.0.from'],
    ['a time in words', { ...officeHours, to: 'noon' }, 'blackouts.0.to'],
    ['no length', { ...officeHours, to: '09:00' }, 'no length'],
    ['days that there are not', { ...officeHours, days: ['monday'] }, 'blackouts.0.days'],
    ['no days', { ...officeHours, days: [] }, 'blackouts.0.days'],
    ['a day that there is not', { from: '2026-02-30T00:00', to: '2026-03-01T00:00', zone: 'UTC' }, 'blackouts.0.from'],
    ['ends of two forms', { from: '2026-02-03T00:00', to: '09:00', zone: 'UTC' }, 'blackouts.0.to'],
    ['an end before the beginning', { from: '2026-02-03T00:00', to: '2026-02-02T00:00', zone: 'UTC' }, 'ends before'],
    [
      'days of a dated one',
      { from: '2026-02-03T00:00', to: '2026-02-04T00:00', zone: 'UTC', days: ['mon'] },
      'blackouts.0.days',
    ],
  ]
  it.each(refused)('%s', (_why, blackout, names) => {
    const attempt = (): unknown => resolvePolicy({ ...base, blackouts: [blackout as Blackout] }, issuer)
    expect(attempt).toThrow(expect.objectContaining({ code: 'policy_invalid' }))
    expect(attempt).toThrow(names)
  })

  it('more than 64', () => {
    const blackouts = Array.from({ length: 65 }, () => officeHours)
    expect(() => resolvePolicy({ ...base, blackouts }, issuer)).toThrow('at most 64')
  })

  const impossible: [why: string, policy: Partial<KeyPolicy>, names: string[]][] = [
    [
      'a freeze longer than the greatest age',
      { blackouts: [{ from: '2027-06-01T00:00', to: '2027-07-10T00:00', zone: 'Europe/Zurich' }] },
      ['2027-06-01T00:00 to 2027-07-10T00:00 Europe/Zurich', '2592000'],
    ],
    [
      'two that leave no time between them',
      {
        blackouts: [
          { from: '2027-06-01T00:00', to: '2027-06-20T00:00', zone: 'UTC' },
          { from: '2027-06-20T00:10', to: '2027-07-10T00:00', zone: 'UTC' },
        ],
      },
      ['2027-06-01T00:00', '2027-06-20T00:10', '2592000'],
    ],
    [
      'every hour of the week',
      { blackouts: [{ from: '00:00', to: '24:00', zone: 'UTC' }] },
      ['00:00 to 24:00 UTC', 'any age', '2592000'],
    ],
    [
      'a working week of a ring that rotates daily',
      {
        rotateAfterSeconds: day,
        maxAgeSeconds: 2 * day,
        blackouts: [{ from: '00:00', to: '24:00', zone: 'UTC', days: ['mon', 'tue', 'wed'] }],
      },
      ['on mon, tue, wed', '172800'],
    ],
  ]
  it.each(impossible)('%s', async (_why, policy, names) => {
    const error = await openRing({ policy: { ...base, ...policy } }).catch((reason: unknown) => reason)
    expect(isKeysError(error) && error.code).toBe('blackout_impossible')
    for (const name of names) expect(String(error)).toContain(name)
  })

  it('are not those that are over', async () => {
    const blackouts: Blackout[] = [{ from: '2020-01-01T00:00', to: '2021-01-01T00:00', zone: 'UTC' }]
    const { ring } = await openRing({ policy: { ...base, blackouts } })
    await ring.close()
  })
})

/** Monday, 2027-02-01, 08:30 in Zurich. */
const monday = at('2027-02-01T07:30Z')

describe('a planned change in a blackout', () => {
  async function inOffice(options: { scheduler?: boolean } = { scheduler: false }) {
    const records: KeyAuditEvent[] = []
    const opened = await openRing({
      clock: createFakeClock(monday),
      policy: { ...base, blackouts: [officeHours] },
      audit: { record: async (event) => void records.push(event) },
      ...options,
    })
    return { ...opened, records }
  }
  const refusal = { code: 'blackout', lawfulAt: at('2027-02-01T16:00Z') }

  it('is refused with the instant when it opens: to publish, and to activate', async () => {
    const { ring, clock, records } = await inOffice()
    await clock.jump(3600)
    await expect(ring.rotate()).rejects.toMatchObject(refusal)
    expect(ring.status().keys).toHaveLength(1)
    expect(records.at(-1)).toMatchObject({ action: 'key.publish', outcome: 'denied', reason: 'blackout' })

    await clock.jump(8 * 3600)
    expect(await ring.rotate()).toMatchObject({ done: false, waitingFor: ['propagation'] })
    await clock.jump(16 * 3600)
    const standby = ring.status().keys[1]?.kid ?? ''
    const tomorrow = { ...refusal, lawfulAt: at('2027-02-02T16:00Z') }
    await expect(ring.rotate()).rejects.toMatchObject(tomorrow)
    await expect(ring.activate(standby)).rejects.toMatchObject(tomorrow)
    await expect(ring.activate(standby, { force: 'we know what we do' })).rejects.toMatchObject(tomorrow)
    expect(ring.status().blackoutUntil).toBe(tomorrow.lawfulAt)
    expect(ring.status().keys[1]).toMatchObject({
      activatableAt: tomorrow.lawfulAt,
      next: { waitingFor: ['blackout'] },
    })
    await clock.jump(9 * 3600)
    expect(await ring.rotate()).toMatchObject({ done: true, activeKid: standby })
    await ring.close()
  })

  it('is not made up where there is none, however time passes while it is asked', async () => {
    const clock = createFakeClock()
    let readings = 0
    const monotonicMs = () => clock.monotonicMs() + (readings++ % 7) + readings
    const passing = { ...clock, monotonicMs, now: () => clock.now() + readings / 1000 }
    const { ring } = await openRing({ clock: passing })
    await ring.rotate()
    for (let turn = 0; turn < 500; turn += 1) {
      expect(await ring.rotate()).toMatchObject({ done: false, waitingFor: ['propagation'] })
    }
    await ring.close()
  })

  it('tells before it that the activation will wait for its end', async () => {
    const { ring } = await inOffice()
    expect(await ring.rotate()).toEqual({
      done: false,
      standbyKid: expect.any(String),
      activatesAt: at('2027-02-01T16:00Z'),
      waitingFor: ['propagation', 'blackout'],
    })
    await expect(ring.activate(ring.status().keys[1]?.kid ?? '')).rejects.toMatchObject({
      code: 'too_early',
      lawfulAt: at('2027-02-01T16:00Z'),
    })
    await ring.close()
  })

  it('goes ahead in an emergency, with its reason on record, and no faster than caches allow', async () => {
    const { ring, clock, records } = await inOffice()
    await clock.jump(3600)
    const emergency = 'the disk of the old key is failing'
    expect(await ring.rotate({ emergency })).toMatchObject({ done: false, waitingFor: ['propagation'] })
    expect(records.at(-1)).toMatchObject({
      action: 'key.publish',
      outcome: 'allowed',
      reason: emergency,
      details: { overrides: 'blackout' },
    })
    await clock.jump(3750)
    expect(await ring.rotate({ emergency })).toMatchObject({ done: true })
    expect(records.findLast(({ action }) => action === 'key.activate')).toMatchObject({
      reason: emergency,
      details: { overrides: 'blackout' },
    })
    await expect(ring.rotate({ emergency: ' ' })).rejects.toMatchObject({ code: 'reason_missing' })
    await expect(ring.activate('x', { force: '' })).rejects.toMatchObject({ code: 'reason_missing' })
    await ring.close()
  })

  it('can be forced past both, each with its reason', async () => {
    const { ring, clock, records } = await inOffice()
    await ring.rotate()
    await clock.jump(3600)
    const kid = ring.status().keys[1]?.kid ?? ''
    await ring.activate(kid, { force: 'caches are empty', emergency: 'now' })
    expect(records.findLast(({ action }) => action === 'key.activate')).toMatchObject({
      reason: 'caches are empty; now',
      details: { overrides: 'blackout,propagation' },
    })
    await ring.close()
  })

  it('does not keep a stolen key in use, nor a replaced one visible', async () => {
    const { ring, clock } = await inOffice()
    await ring.rotate()
    const kid = ring.status().activeKid ?? ''
    await clock.jump(3600)
    await ring.revoke(kid, { reason: 'stolen', scope: 'key' })
    expect(ring.status().activeKid).not.toBe(kid)
    await ring.close()
  })

  it('is left for later by the scheduler', async () => {
    const { ring, clock } = await inOffice({ scheduler: true })
    const [first, standby] = ring.status().keys
    expect(standby?.state).toBe('published')
    // Day 27 is Sunday the 28th: open.
    await clock.jump(27 * day)
    expect(ring.status().activeKid).toBe(standby?.kid)
    const later = createFakeClock(monday + 3 * day)
    const other = await openRing({ clock: later, policy: { ...base, blackouts: [officeHours] } })
    const next = other.ring.status().keys[1]
    // 27 days from Thursday is Wednesday, 08:30: one hour later it would be closed until five.
    await later.jump(27 * day + 3600 - 3600)
    expect(other.ring.status().activeKid).toBe(next?.kid)
    expect(first?.kid).not.toBe(ring.status().activeKid)
    await ring.close()
    await other.ring.close()
  })
})

describe('the scheduler', () => {
  it('waits for the end of a blackout that leaves the key young enough', async () => {
    const clock = createFakeClock(at('2027-02-01T10:00Z'))
    const blackouts: Blackout[] = [{ from: '2027-02-27T00:00', to: '2027-03-02T00:00', zone: 'UTC' }]
    const { ring } = await openRing({ clock, policy: { ...base, blackouts } })
    const [first, standby] = ring.status().keys
    expect(standby?.next).toMatchObject({ at: at('2027-03-02T00:00Z') })
    await clock.jump(28 * day)
    expect(ring.status().activeKid).toBe(first?.kid)
    await clock.jump(14 * 3600)
    expect(ring.status().activeKid).toBe(standby?.kid)
    await ring.close()
  })

  it('works ahead of one that would push the age past 30 days', async () => {
    const clock = createFakeClock(at('2027-02-01T10:00Z'))
    const blackouts: Blackout[] = [{ from: '2027-02-20T00:00', to: '2027-03-10T00:00', zone: 'UTC' }]
    const { ring } = await openRing({ clock, policy: { ...base, blackouts } })
    const [first, standby] = ring.status().keys
    expect(standby?.next).toMatchObject({ at: at('2027-02-18T00:00Z') })
    await clock.jump(16.5 * day)
    expect(ring.status().activeKid).toBe(first?.kid)
    await clock.jump(3600 * 3)
    expect(ring.status().activeKid).toBe(standby?.kid)
    // The whole blackout through the key is young enough, and the next rotation comes when it is due.
    await clock.jump(20 * day)
    expect(ring.status().age).toBe('ok')
    await ring.close()
  })

  it('publishes without a standby only when the activation will be outside, too', async () => {
    const clock = createFakeClock(at('2027-02-01T06:00Z'))
    const policy: KeyPolicy = { ...base, standby: 'off', blackouts: [{ from: '09:00', to: '17:00', zone: 'UTC' }] }
    const { ring } = await openRing({ clock, policy })
    // 27 days on at 06:00 less W is 04:57: fine. A command at half past eight would end inside.
    await clock.jump(2.5 * 3600)
    await expect(ring.rotate()).rejects.toMatchObject({ code: 'blackout', lawfulAt: at('2027-02-01T17:00Z') })
    expect(ring.status().blackoutUntil).toBeNull()
    await clock.jump(27 * day - 2.5 * 3600 - 3750)
    expect(ring.status().keys.map(({ state }) => state)).toEqual(['active', 'published'])
    await clock.jump(3751)
    expect(ring.status().keys.map(({ state }) => state)).toEqual(['retiring', 'active'])
    await ring.close()
  })

  it('never lets a key get past its age, nor changes one inside, whatever blackouts are accepted', async () => {
    const hour = fc.integer({ min: 0, max: 23 })
    const weekly = fc
      .record({
        from: hour,
        to: hour,
        days: fc.subarray(['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const, { minLength: 1 }),
      })
      .filter(({ from, to }) => from !== to)
      .map(({ from, to, days }): Blackout => {
        const two = (value: number) => `${String(value).padStart(2, '0')}:00`
        return { from: two(from), to: two(to), zone: 'America/New_York', days: [...days] }
      })
    const dated = fc
      .record({ start: fc.integer({ min: 0, max: 120 }), length: fc.integer({ min: 1, max: 29 }) })
      .map(({ start, length }): Blackout => {
        const date = (days: number) => new Date((monday + days * day) * 1000).toISOString().slice(0, 16)
        return { from: date(start), to: date(start + length), zone: 'America/New_York' }
      })
    let accepted = 0
    let rotations = 0
    const list = fc.tuple(fc.array(weekly, { maxLength: 2 }), fc.array(dated, { maxLength: 3 }))
    await fc.assert(
      fc.asyncProperty(list, fc.integer({ min: 0, max: 20 * day }), async ([often, once], start) => {
        const blackouts = [...often, ...once]
        const clock = createFakeClock(monday + start)
        const calendar = createCalendar(blackouts)
        let ring: Awaited<ReturnType<typeof openRing>>['ring']
        try {
          ;({ ring } = await openRing({ clock, policy: { ...base, blackouts } }))
        } catch (error) {
          expect(isKeysError(error) && error.code).toBe('blackout_impossible')
          return
        }
        accepted += 1
        const end = clock.now() + 100 * day
        // The founding may fall into a blackout that had begun before: it is nobody's plan.
        let steps = 0
        while (clock.now() < end && steps < 400) {
          steps += 1
          const { keys, blackoutUntil } = ring.status()
          const due = keys.flatMap(({ next }) => (next?.at === null || next === null ? [] : [next.at]))
          const next = Math.min(...due, blackoutUntil ?? Number.POSITIVE_INFINITY)
          await clock.jump(Math.max(10, next - clock.now() + 1))
        }
        for (const { activatedAt, publishedAt, retiringAt } of ring.status().keys.slice(1)) {
          for (const instant of [publishedAt, activatedAt]) {
            if (instant !== null) expect(calendar.nextOpen(instant)).toBe(instant)
          }
          if (activatedAt !== null && retiringAt !== null) {
            rotations += 1
            expect(retiringAt - activatedAt).toBeLessThanOrEqual(30 * day + 20)
          }
        }
        await ring.close()
      }),
      { numRuns: 40 },
    )
    expect(accepted).toBeGreaterThan(15)
    expect(rotations).toBeGreaterThan(30)
  })
})
