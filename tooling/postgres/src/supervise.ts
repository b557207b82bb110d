// Starts the server that a test run shares, and ends it when the run is gone: `supervise.js OWNER FOLDER`.
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startServer } from './server.ts'
import { startOf } from './shared.ts'

const [owner = '', folder = ''] = process.argv.slice(2)
const pid = Number(owner)
const start = startOf(pid)

function isRunning(): boolean {
  try {
    process.kill(pid, 0)
    return startOf(pid) === start
  } catch {
    return false
  }
}

/** In one step, so that nobody reads half of it. */
function say(name: string, text: string): void {
  writeFileSync(join(folder, `${name}.new`), text)
  renameSync(join(folder, `${name}.new`), join(folder, name))
}

try {
  const server = await startServer({ directory: folder })
  say('ready', JSON.stringify({ host: server.host, port: server.port }))
  while (isRunning()) await sleep(100)
  await server.end()
} catch (error) {
  say('failed', String(error))
  while (isRunning()) await sleep(100)
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
}
