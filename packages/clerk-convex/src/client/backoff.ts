/** Most milliseconds between two tries: with what Convex needs to take the token, recovery stays below 5 s. */
export const longestDelayMs = 2_500
const shortestDelayMs = 250

/** Half of a bound that doubles, and up to half by chance, so that pages that fell together do not rise together. */
export function retryDelayMs(failures: number, random: () => number): number {
  const boundMs = Math.min(longestDelayMs, shortestDelayMs * 2 ** Math.min(failures, 16))
  return boundMs / 2 + (boundMs / 2) * random()
}
