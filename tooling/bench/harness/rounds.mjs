// Interleaved rounds and medians: a machine's speed drifts by half within minutes, ratios inside a round hold.

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}

/** @param {readonly number[]} values */
export function spread(values) {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/** Half of the values lie between the two. @param {readonly number[]} values @returns {[low: number, high: number]} */
export function quartiles(values) {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (/** @type {number} */ share) => sorted[Math.round((sorted.length - 1) * share)] ?? Number.NaN
  return [at(0.25), at(0.75)]
}

/**
 * The order of one round, by E. J. Williams (1949): over `count` rounds (twice as many if `count` is odd) each case stands
 * in each place as often as any other, and follows each other case as often. What one leaves in the processor's caches is
 * then nobody's alone.
 * @param {number} count of the cases
 * @param {number} round from 0
 * @returns {number[]} the cases' indexes
 */
export function balancedOrder(count, round) {
  // 0, 1, -1, 2, -2 and so on: the steps between neighbours are all different, whatever is added.
  const order = Array.from({ length: count }, (_, place) => {
    const step = place % 2 === 1 ? (place + 1) / 2 : count - place / 2
    return (step + round) % count
  })
  return count % 2 === 1 && Math.floor(round / count) % 2 === 1 ? order.reverse() : order
}

/**
 * Runs every case once a round, in a balanced order.
 * @template Measured
 * @param {readonly { readonly name: string, readonly run: () => Promise<Measured> | Measured }[]} cases
 * @param {{ rounds: number, onRound?: (round: number) => void }} options
 * @returns {Promise<Map<string, Measured[]>>}
 */
export async function interleave(cases, { rounds, onRound }) {
  /** @type {Map<string, Measured[]>} */
  const measured = new Map(cases.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round += 1) {
    const order = balancedOrder(cases.length, round).flatMap((index) => cases[index] ?? [])
    for (const { name, run } of order) measured.get(name)?.push(await run())
    onRound?.(round + 1)
  }
  return measured
}

/**
 * The median of the ratios of each round, which the drift between rounds does not touch.
 * @param {readonly number[]} ours
 * @param {readonly number[]} theirs
 */
export function ratio(ours, theirs) {
  return median(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)))
}
