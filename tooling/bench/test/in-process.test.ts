import { expect, it } from 'vitest'
import { measure } from '../harness/in-process.mjs'
import { rateCases, ratioTargets } from '../harness/targets.mjs'

it('gives every case every item once a round, after a round that does not count', async () => {
  const seen: Record<string, number[][]> = { a: [], b: [] }
  const cases = ['a', 'b'].map((name) => ({
    name,
    start: () => {
      const round: number[] = []
      seen[name]?.push(round)
      return (items: readonly number[]) => void round.push(...items)
    },
  }))
  const rates = await measure(cases, (turn) => [turn * 2, turn * 2 + 1], { rounds: 2, turns: 3 })
  expect(seen).toEqual({ a: Array(3).fill([0, 1, 2, 3, 4, 5]), b: Array(3).fill([0, 1, 2, 3, 4, 5]) })
  expect([...rates].map(([name, values]) => [name, values.length])).toEqual([
    ['a', 2],
    ['b', 2],
  ])
})

it('holds ratios to targets', () => {
  const rates = new Map([
    ['ours', [10, 20, 30]],
    ['peer', [10, 10, 10]],
  ])
  expect(rateCases(rates, 'peer')).toEqual([
    { name: 'ours', ops_per_s: { median: 20, min: 10, max: 30 }, ratio: 2 },
    { name: 'peer', ops_per_s: { median: 10, min: 10, max: 10 }, ratio: 1 },
  ])
  expect(
    ratioTargets(rates, [
      ['ours', 'peer', 2],
      ['ours', 'peer', 2.1],
    ]),
  ).toEqual([
    { what: 'ours ÷ peer', least: 2, got: 2, met: true },
    { what: 'ours ÷ peer', least: 2.1, got: 2, met: false },
  ])
})
