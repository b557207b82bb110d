import { closeSync, constants, openSync, type Stats } from 'node:fs'
import { chmod, lstat, mkdir, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { StorageError } from '../storage-error.ts'

/** The files that SQLite keeps beside the database. */
const companions: readonly string[] = ['', '-wal', '-shm', '-journal']

/**
 * Makes sure that the database is a plain file that only its owner may read: creates it (0600) and its directory (0700)
 * where they are missing, and takes the permissions of group and others away where they are there. SQLite gives the
 * files beside it the same permissions.
 * @returns the absolute path
 */
export async function prepareFile(path: string): Promise<string> {
  if (path === '' || path.startsWith(':') || path.includes('\0')) {
    throw new StorageError('unsafe_file', `A database needs a path of its own; "${path}" is none.`)
  }
  const absolute = resolve(path)
  const directory = dirname(absolute)
  try {
    const made = await mkdir(directory, { recursive: true, mode: 0o700 })
    if (made !== undefined) await syncParents(made, directory)
    for (const suffix of companions) {
      const found = await look(absolute + suffix)
      if (found !== undefined && (found.mode & 0o077) !== 0) await chmod(absolute + suffix, 0o600)
    }
    if (create(absolute)) await syncDirectory(directory)
  } catch (cause) {
    if (cause instanceof StorageError) throw cause
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
    if (code === 'ENOSPC' || code === 'EDQUOT') throw new StorageError('full', 'The volume is full.', { cause })
    throw new StorageError('cannot_open', `${absolute} cannot be opened (${code}).`, { cause })
  }
  return absolute
}

/**
 * Only ever opens a file that it makes, and closes it before anything else of this process can run: closing a file that
 * SQLite has open in the same process would drop SQLite's locks on it (POSIX).
 */
function create(path: string): boolean {
  try {
    closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600))
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  }
}

async function look(path: string): Promise<Stats | undefined> {
  const found: Stats | undefined = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined || found.isFile()) return found
  const what = found.isSymbolicLink() ? 'a symbolic link' : 'not a plain file'
  throw new StorageError('unsafe_file', `${path} is ${what}.`)
}

/** `made`, the topmost directory that was created, and those below it down to `directory`. */
async function syncParents(made: string, directory: string): Promise<void> {
  for (let below = directory; below.length >= made.length; below = dirname(below)) await syncDirectory(dirname(below))
}

/** A new name is durable only once the directory that it stands in is synced. */
async function syncDirectory(path: string): Promise<void> {
  // Windows cannot open directories, and needs no such sync.
  if (process.platform === 'win32') return
  const directory = await open(path, constants.O_RDONLY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
