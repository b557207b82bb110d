// Says which step runs and how long each took: a plain line a step, and on a terminal a bar while it runs.

import { performance } from 'node:perf_hooks'

/** Something that ends the run, with the status to leave with and what a person does next. */
export class Failure extends Error {
  /**
   * @param {number} status
   * @param {string} message
   * @param {string} remedy
   * @param {string} [output] the last lines of what failed
   */
  constructor(status, message, remedy, output = '') {
    super(message)
    this.status = status
    this.remedy = remedy
    this.output = output
  }
}

/**
 * @typedef {(detail: string) => void} Say shows a detail of the running step, on a terminal only
 *
 * @typedef {object} Progress
 * @property {<T>(name: string, work: (say: Say) => T | Promise<T>) => Promise<T>} step
 * @property {() => void} done
 */

/**
 * @param {object} options
 * @param {number} options.steps how many there will be, for the bar
 * @param {{ write(text: string): unknown, isTTY?: boolean, columns?: number }} [options.stream]
 * @param {() => number} [options.nowMs]
 * @returns {Progress}
 */
export function createProgress({ steps, stream = process.stderr, nowMs = () => performance.now() }) {
  const began = nowMs()
  const live = stream.isTTY === true
  let finished = 0

  /** @param {number} since */
  const seconds = (since) => `${((nowMs() - since) / 1000).toFixed(1)} s`
  const clear = () => live && stream.write('\r\x1b[2K')

  return {
    async step(name, work) {
      const since = nowMs()
      let detail = ''
      const draw = () => {
        const bar = `[${'#'.repeat(finished)}${'-'.repeat(Math.max(0, steps - finished))}]`
        const line = `${bar} ${name} ${seconds(since)} ${detail}`
        stream.write(`\r\x1b[2K${line.slice(0, (stream.columns ?? 80) - 1)}`)
      }
      const timer = live ? setInterval(draw, 200) : undefined
      if (live) draw()
      try {
        const result = await work((text) => {
          detail = text
        })
        clear()
        stream.write(`${name.padEnd(18)}${seconds(since).padStart(8)}\n`)
        return result
      } catch (error) {
        clear()
        stream.write(`${name.padEnd(18)}${seconds(since).padStart(8)}  failed\n`)
        throw error
      } finally {
        clearInterval(timer)
        finished++
      }
    },
    done() {
      stream.write(`${'ready'.padEnd(18)}${seconds(began).padStart(8)}\n`)
    },
  }
}
