import { spawn } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { query } from './query.ts'

/** What every test file of a run shares: one server, which ends after the run. */
export interface SharedServer {
  readonly host: string
  readonly port: number
  url(database?: string): string
}

const readyWithinMs = 120_000

/**
 * The test run: vitest runs each file in a child process of its own. A server for each would take a second; this one is
 * started by whoever asks first, and watched over by a process that ends it as soon as the run is gone.
 */
function runOf(): number {
  return process.env.VITEST !== undefined && process.connected ? process.ppid : process.pid
}

let shared: Promise<SharedServer> | undefined

export function sharedServer(): Promise<SharedServer> {
  shared ??= join(runOf())
  return shared

  async function join(owner: number): Promise<SharedServer> {
    const folder = folderOf(owner)
    if (isFirst(folder)) {
      const script = fileURLToPath(new URL('supervise.js', new URL('../dist/', import.meta.url)))
      spawn(process.execPath, [script, `${owner}`, folder], { detached: true, stdio: 'ignore' }).unref()
    }
    const { host, port } = await readiness(folder)
    return { host, port, url: (database = 'postgres') => `postgres://postgres@${host}:${port}/${database}` }
  }
}

function folderOf(owner: number): string {
  return join(tmpdir(), `countersign-pg-shared-${process.getuid?.() ?? 0}-${owner}-${startOf(owner)}`)
}

/** Process numbers are used again: with its start it is one of a kind. */
export function startOf(pid: number): string {
  try {
    return (
      readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ')[19] ?? ''
    )
  } catch {
    return ''
  }
}

function isFirst(folder: string): boolean {
  try {
    mkdirSync(folder, { mode: 0o711 })
    return true
  } catch {
    if (lstatSync(folder).uid !== process.getuid?.()) throw new Error(`${folder} belongs to somebody else.`)
    return false
  }
}

async function readiness(folder: string): Promise<{ readonly host: string; readonly port: number }> {
  const until = Date.now() + readyWithinMs
  while (Date.now() < until) {
    if (existsSync(join(folder, 'failed'))) throw new Error(readFileSync(join(folder, 'failed'), 'utf8'))
    if (existsSync(join(folder, 'ready'))) return JSON.parse(readFileSync(join(folder, 'ready'), 'utf8'))
    await sleep(20)
  }
  throw new Error('PostgreSQL did not start in time.')
}

let made = 0

/**
 * A database of the caller's own in the shared server.
 * @param template a database to copy; nobody may be connected to it
 */
export async function createDatabase(
  template = 'template0',
): Promise<{ readonly url: string; readonly name: string; drop(): Promise<void> }> {
  const server = await sharedServer()
  made += 1
  const name = `test_${process.pid}_${made}`
  await query(server.url(), `CREATE DATABASE ${name} TEMPLATE ${template}`)
  return {
    url: server.url(name),
    name,
    drop: async () => void (await query(server.url(), `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)),
  }
}
