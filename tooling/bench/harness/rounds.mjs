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
 * Runs every case once a round, in an order that turns, so that none always follows the same other.
 * @template Measured
 * @param {readonly { readonly name: string, readonly run: () => Promise<Measured> | Measured }[]} cases
 * @param {{ rounds: number, onRound?: (round: number) => void }} options
 * @returns {Promise<Map<string, Measured[]>>}
 */
export async function interleave(cases, { rounds, onRound }) {
  /** @type {Map<string, Measured[]>} */
  const measured = new Map(cases.map(({ name }) => [name, []]))
  for (let round = 0; round < rounds; round += 1) {
    const turn = round % cases.length
    for (const { name, run } of [...cases.slice(turn), ...cases.slice(0, turn)]) measured.get(name)?.push(await run())
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
