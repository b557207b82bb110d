// From an empty directory to a validated token: an auth module of its own in a new process each time. `start` is what a
// program waits for that has loaded the package: directory, key-encryption key, database and its tables, two key rings,
// a user (one password hash), a sign-in (another) and the first validation. `import` comes before, once a process.

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { median } from './harness/rounds.mjs'
import { valueCase } from './harness/targets.mjs'

const execute = promisify(execFile)
const child = fileURLToPath(new URL('./peers/embedded-start.mjs', import.meta.url))
const mostMs = 300

/** @param {{ rounds: number, progress: (text: string) => void }} options */
export async function run({ rounds, progress }) {
  const room = mkdtempSync(join(process.env.BENCH_DIR ?? '/var/tmp', 'countersign-bench-'))
  /** @type {{ importMs: number, createMs: number, startMs: number, cpuMs: number }[]} */
  const measured = []
  try {
    // The first one reads everything from the disk.
    for (let round = 0; round <= rounds; round += 1) {
      const { stdout } = await execute(process.execPath, [child, join(room, String(round))])
      if (round > 0) measured.push(JSON.parse(stdout))
      progress(`round ${round} of ${rounds}`)
    }
  } finally {
    rmSync(room, { recursive: true })
  }
  const values = [
    { name: 'start', all: measured.map(({ startMs }) => startMs) },
    { name: 'create', all: measured.map(({ createMs }) => createMs) },
    { name: 'start-cpu', all: measured.map(({ cpuMs }) => cpuMs) },
    { name: 'import', all: measured.map(({ importMs }) => importMs) },
  ]
  const got = median(measured.map(({ startMs }) => startMs))
  return {
    name: 'embedded-start',
    settings: { rounds },
    cases: values.map(({ name, all }) => ({
      ...valueCase(name, all, 'ms'),
      more: { least: Math.min(...all), most: Math.max(...all) },
    })),
    targets: [{ what: 'start (ms)', most: mostMs, got, met: got <= mostMs }],
  }
}
