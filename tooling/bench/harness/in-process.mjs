// Cases that run in one process, in small turns: what slows the machine down for a second slows all of them down.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { interleave } from './rounds.mjs'

setFlagsFromString('--expose-gc')
/** @type {(options: { type: 'minor' }) => void} */
const collect = runInNewContext('gc')

/**
 * @template Item
 * @typedef {object} InProcessCase
 * @property {string} name
 * @property {() => (items: readonly Item[]) => void | Promise<void>} start makes a round's run: nothing is remembered
 *   from the round before
 */

/**
 * Every case handles every item once a round, `turn` items at a time.
 * @template Item
 * @param {readonly InProcessCase<Item>[]} cases
 * @param {(turn: number) => readonly Item[]} itemsOf made anew for each case and turn, outside what is measured
 * @param {{ rounds: number, turns: number, onRound?: (round: number) => void }} options
 * @returns {Promise<Map<string, number[]>>} operations a second, by round
 */
export async function measure(cases, itemsOf, { rounds, turns, onRound }) {
  /** @type {Map<string, number[]>} */
  const rates = new Map(cases.map(({ name }) => [name, []]))
  // The first round warms up: it is not counted.
  for (let round = 0; round <= rounds; round += 1) {
    let items = 0
    const turned = await interleave(
      cases.map(({ name, start }) => {
        const run = start()
        let turn = 0
        return {
          name,
          run: async () => {
            const batch = itemsOf(turn)
            turn += 1
            if (name === cases[0]?.name) items += batch.length
            collect({ type: 'minor' })
            const from = process.hrtime.bigint()
            await run(batch)
            return Number(process.hrtime.bigint() - from)
          },
        }
      }),
      { rounds: turns },
    )
    if (round === 0) continue
    for (const [name, times] of turned) {
      rates.get(name)?.push((items * 1e9) / times.reduce((sum, time) => sum + time, 0))
    }
    onRound?.(round)
  }
  return rates
}
