// What a load on a server comes to: requests a second, their latency, and the CPU time that each cost the server.

import { median } from './rounds.mjs'
import { rateCases } from './targets.mjs'

/** @typedef {{ readonly requests: number, readonly perSecond: number, readonly p50Ms: number, readonly p99Ms: number }} Load */
/** @typedef {Load & { readonly cpu: number }} CostedLoad `cpu`: microseconds of the server's for a request */

/**
 * @param {{ cpuMicroseconds(): number }} server
 * @param {() => Promise<Load>} load
 * @returns {Promise<CostedLoad>}
 */
export async function withCost(server, load) {
  const before = server.cpuMicroseconds()
  const result = await load()
  return { ...result, cpu: (server.cpuMicroseconds() - before) / result.requests }
}

/** @param {Map<string, CostedLoad[]>} measured @returns {Map<string, number[]>} */
export function ratesOf(measured) {
  return new Map([...measured].map(([name, all]) => [name, all.map(({ perSecond }) => perSecond)]))
}

/** @param {readonly CostedLoad[]} all */
export function costs(all) {
  return {
    cpu_us: median(all.map(({ cpu }) => cpu)),
    p50_ms: median(all.map(({ p50Ms }) => p50Ms)),
    p99_ms: median(all.map(({ p99Ms }) => p99Ms)),
  }
}

/**
 * @param {Map<string, CostedLoad[]>} measured
 * @param {string} baseline
 */
export function loadCases(measured, baseline) {
  return rateCases(ratesOf(measured), baseline).map((each) => ({ ...each, more: costs(measured.get(each.name) ?? []) }))
}
