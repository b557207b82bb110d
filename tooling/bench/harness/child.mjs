// A peer in a process of its own, so that one's garbage and threads are not another's time.

import { execFileSync, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/**
 * @typedef {object} Peer
 * @property {string} name
 * @property {any} told what the peer printed as its first line, parsed
 * @property {() => number} cpuMicroseconds of the whole process so far, all threads, user and system
 * @property {() => Promise<void>} stop
 */

/** Clock ticks of /proc, 100 a second on every Linux that we know. */
const tickMicroseconds = 10_000
const startMs = 60_000

/**
 * Starts `peers/FILE`, pinned to one core, and waits for the line of JSON with which it says that it is ready.
 * @param {string} file
 * @param {{ core?: number, args?: readonly string[], nodeFlags?: readonly string[] }} [options]
 * @returns {Promise<Peer>}
 */
export async function startPeer(file, { core, args = [], nodeFlags = [] } = {}) {
  const node = [process.execPath, ...nodeFlags, fileURLToPath(new URL(`../peers/${file}`, import.meta.url)), ...args]
  const [command = '', ...rest] = core === undefined ? node : ['taskset', '-c', String(core), ...node]
  const child = spawn(command, rest, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production' },
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const line = await new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL')
      reject(new Error(`${file} was not ready after ${startMs / 1000} s`))
    }, startMs)
    createInterface({ input: child.stdout }).once('line', (text) => {
      clearTimeout(timer)
      resolve(text)
    })
    child.once('error', reject)
    child.once('exit', (code) => {
      clearTimeout(timer)
      reject(new Error(`${file} ended with ${code} before it was ready`))
    })
  })
  // Whatever else it prints must not fill the pipe.
  child.stdout.resume()
  return {
    name: file.replace(/\.mjs$/, ''),
    told: JSON.parse(line),
    cpuMicroseconds: () => {
      // Fields 14 and 15 (utime, stime), counted from after the command in parentheses, which may hold spaces.
      const stat = readFileSync(`/proc/${child.pid}/stat`, 'utf8')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return (Number(fields[11]) + Number(fields[12])) * tickMicroseconds
    },
    stop: async () => {
      child.kill('SIGTERM')
      const kill = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await ended
      clearTimeout(kill)
    },
  }
}

/**
 * Keeps a load that comes from this very process off the peers' core, where it would be woken by each of their writes
 * and take their caches. The result lets it go again.
 */
export function pinLoad() {
  if (availableParallelism() < 2) return () => {}
  const pin = (/** @type {string} */ cores) =>
    void execFileSync('taskset', ['--all-tasks', '--cpu-list', '--pid', cores, String(process.pid)], {
      stdio: 'ignore',
    })
  const all = `0-${availableParallelism() - 1}`
  pin('1')
  return () => pin(all)
}
