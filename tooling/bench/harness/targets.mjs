// What a result is held to, shown beside it: a missed target is printed, not hidden.

import { median, ratio, spread } from './rounds.mjs'

/**
 * @param {Map<string, number[]>} rates operations a second of each case, by round
 * @param {string} baseline
 * @returns {import('./report.mjs').Case[]}
 */
export function rateCases(rates, baseline) {
  return [...rates].map(([name, values]) => ({
    name,
    ops_per_s: spread(values),
    ratio: ratio(values, rates.get(baseline) ?? []),
  }))
}

/**
 * @param {Map<string, number[]>} rates
 * @param {readonly (readonly [name: string, peer: string, least: number])[]} targets
 * @returns {import('./report.mjs').Target[]}
 */
export function ratioTargets(rates, targets) {
  return targets.map(([name, peer, least]) => {
    const got = ratio(rates.get(name) ?? [], rates.get(peer) ?? [])
    return { what: `${name} ÷ ${peer}`, least, got, met: got >= least }
  })
}

/** @param {readonly number[]} values @param {string} unit */
export function valueCase(/** @type {string} */ name, values, unit) {
  return { name, value: median(values), unit }
}
