// Load in which each request needs the answer to the one before, as a chain of refreshes does: wrk cannot.

import { Agent, request } from 'node:http'

/**
 * @param {Agent} agent @param {URL} url @param {string} body
 * @returns {Promise<any>} the answer's JSON
 */
function post(agent, url, body) {
  return new Promise((resolve, reject) => {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded', 'Content-Length': Buffer.byteLength(body) }
    const sent = request(url, { agent, method: 'POST', headers }, (response) => {
      /** @type {Buffer[]} */
      const parts = []
      response.on('data', (part) => parts.push(part))
      response.on('error', reject)
      response.on('end', () => {
        const text = Buffer.concat(parts).toString()
        if (response.statusCode === 200) resolve(JSON.parse(text))
        else reject(new Error(`${url}: ${response.statusCode}, ${text}`))
      })
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/**
 * Runs chains side by side, a connection each, for some seconds. An answer but 200 ends the benchmark.
 * @param {string} url
 * @param {readonly (() => { body: string, answered: (answer: any) => void })[]} chains what each asks next, and what is
 *   done with the answer
 * @param {{ seconds: number }} options
 */
export async function loadChains(url, chains, { seconds }) {
  const agent = new Agent({ keepAlive: true, maxSockets: chains.length })
  const target = new URL(url)
  const from = performance.now()
  const end = from + seconds * 1000
  /** @type {number[]} */
  const times = []
  try {
    await Promise.all(
      chains.map(async (next) => {
        while (performance.now() < end) {
          const { body, answered } = next()
          const sentMs = performance.now()
          answered(await post(agent, target, body))
          times.push(performance.now() - sentMs)
        }
      }),
    )
  } finally {
    agent.destroy()
  }
  const took = (performance.now() - from) / 1000
  times.sort((a, b) => a - b)
  const at = (/** @type {number} */ share) => times[Math.floor((times.length - 1) * share)] ?? Number.NaN
  return { requests: times.length, perSecond: times.length / took, p50Ms: at(0.5), p99Ms: at(0.99) }
}
