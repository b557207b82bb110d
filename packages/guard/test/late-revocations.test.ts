import type { FreshnessLevel } from '@countersign/revocation'
import type { Principal } from '@countersign/tokens'
import { expect, it } from 'vitest'
import { createLateRevocations } from '../src/late-revocations.ts'

const principal = { subject: 'user_1' } as Principal

function makeSource() {
  let tellChange = (): void => {}
  let tellLevel = (_level: FreshnessLevel): void => {}
  return {
    source: {
      isRevoked: ({ subject }: Principal) => subject === 'user_1',
      onChange(call: () => void) {
        tellChange = call
        return () => {}
      },
      freshness: () => ({ level: 'late' as const, ageSeconds: 31 }),
      onFreshness(call: (level: FreshnessLevel) => void) {
        tellLevel = call
        return () => {}
      },
    },
    change: () => tellChange(),
    become: (level: FreshnessLevel) => tellLevel(level),
  }
}

it('know nothing until they are told whence they come, and then what that knows', () => {
  const late = createLateRevocations()
  expect(late.isRevoked(principal)).toBe(false)
  expect(late.freshness?.()).toEqual({ level: 'starting', ageSeconds: Number.POSITIVE_INFINITY })
  late.comeFrom(makeSource().source)
  expect(late.isRevoked(principal)).toBe(true)
  expect(late.freshness?.()).toEqual({ level: 'late', ageSeconds: 31 })
})

it('are fresh for ever where there are none', () => {
  const late = createLateRevocations()
  late.comeFrom(undefined)
  expect(late.isRevoked(principal)).toBe(false)
  expect(late.freshness?.()).toEqual({ level: 'fresh', ageSeconds: 0 })
})

it('tell everybody who listened before, and after, until they stop', () => {
  const { source, change, become } = makeSource()
  const late = createLateRevocations()
  const told: string[] = []
  const stops = [late.onChange(() => told.push('early')), late.onFreshness?.((level) => told.push(`early ${level}`))]
  late.comeFrom(source)
  stops.push(late.onChange(() => told.push('later')))
  change()
  become('stale')
  expect(told).toEqual(['early', 'later', 'early stale'])
  for (const stop of stops) stop?.()
  change()
  become('fresh')
  expect(told).toHaveLength(3)
})
