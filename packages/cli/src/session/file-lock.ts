import { closeSync, constants, openSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { CliError } from '../failure.ts'

export interface LockOptions {
  /** How long to wait for another process. @default 60_000 */
  readonly waitMs?: number
  /** Called once, when another process has had the lock for a second. */
  readonly onWait?: () => void
}

const betweenTriesMs = 20
const toldAfterMs = 1_000

/**
 * Runs `work` while no other process does. The lock is SQLite's on an empty file, that is the operating system's: it ends
 * with the process that holds it, however that ends.
 * @throws CliError `busy`
 */
export async function withFileLock<T>(
  file: string,
  work: () => Promise<T>,
  { waitMs = 60_000, onWait }: LockOptions = {},
): Promise<T> {
  create(file)
  const lock = new Database(file, { timeout: 0, fileMustExist: true })
  try {
    const since = performance.now()
    for (let told = false; !taken(lock); ) {
      const waitedMs = performance.now() - since
      if (waitedMs > waitMs) throw new CliError('busy', 'Another process has been using this session for long.')
      if (!told && waitedMs > toldAfterMs) {
        onWait?.()
        told = true
      }
      await delay(betweenTriesMs)
    }
    return await work()
  } finally {
    lock.close()
  }
}

/** Opens only what it makes: closing a file that SQLite has locked in this process would end the lock (POSIX). */
function create(file: string): void {
  try {
    closeSync(openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}

function taken(lock: Database.Database): boolean {
  try {
    lock.exec('BEGIN EXCLUSIVE')
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && /^SQLITE_BUSY/u.test(String(error.code))) return false
    throw error
  }
}
