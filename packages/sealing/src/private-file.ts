import { randomBytes } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { type FileHandle, link, lstat, mkdir, open, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { SealingError } from './sealing-error.ts'

/** Windows has neither owners nor mode bits to check: there the directory's access list must do. */
const ownUid: number | undefined = process.geteuid?.()

function refuseUnsafe(path: string, stats: Stats): void {
  if (ownUid === undefined) return
  if (stats.uid !== ownUid) {
    throw new SealingError('file_unsafe', `${path} is owned by user ${stats.uid}, not by ${ownUid}, who runs this`)
  }
  if ((stats.mode & 0o077) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0')
    throw new SealingError('file_unsafe', `${path} can be reached by others than its owner (mode ${mode})`)
  }
}

/**
 * systemd gives a service's user a credential either outright (0400) or, where it can, as a file of root's with an access
 * list, whose mask shows as the group's bits (0440). Nobody else could have put either there.
 */
function refuseUnsafeCredential(path: string, stats: Stats): void {
  if (ownUid === undefined) return
  const owners = [0, ownUid]
  const bits = stats.uid === 0 ? 0o337 : 0o377
  if (!owners.includes(stats.uid) || (stats.mode & bits) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0')
    throw new SealingError('file_unsafe', `${path} is no credential of this service (user ${stats.uid}, mode ${mode})`)
  }
}

function failed(path: string, doing: string, error: unknown): SealingError {
  if (error instanceof SealingError) return error
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'ENOENT') return new SealingError('file_missing', `${path} does not exist`, { cause: error })
  if (code === 'EEXIST') return new SealingError('file_exists', `${path} exists already`, { cause: error })
  // O_NOFOLLOW on a symbolic link; FreeBSD says EMLINK.
  if (code === 'ELOOP' || code === 'EMLINK') {
    return new SealingError('file_unsafe', `${path} is a symbolic link`, { cause: error })
  }
  return new SealingError('file_failed', `${path} could not be ${doing} (${String(code ?? 'unknown')})`, {
    cause: error,
  })
}

export interface ReadLimits {
  /** Larger files are refused before they are read. */
  readonly maxBytes: number
}

/**
 * Reads a file that only its owner can reach. The checks are made on the open file, so it cannot be swapped meanwhile.
 *
 * @throws SealingError `file_missing`; `file_unsafe` (a symbolic link, not a plain file, another owner, group or world
 * bits); `file_too_large`; `file_failed`
 */
export async function readPrivateFile(path: string, limits: ReadLimits): Promise<Uint8Array> {
  return await readChecked(path, limits, refuseUnsafe)
}

/**
 * Reads a credential that the service manager has provided: read-only, of root or of the own user, for nobody else.
 *
 * @throws SealingError as {@link readPrivateFile}
 */
export async function readCredentialFile(path: string, limits: ReadLimits): Promise<Uint8Array> {
  return await readChecked(path, limits, refuseUnsafeCredential)
}

async function readChecked(
  path: string,
  { maxBytes }: ReadLimits,
  refuse: (path: string, stats: Stats) => void,
): Promise<Uint8Array> {
  let handle: FileHandle | undefined
  try {
    // O_NONBLOCK: opening a named pipe would otherwise wait for a writer for ever.
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
    const stats = await handle.stat()
    if (!stats.isFile()) throw new SealingError('file_unsafe', `${path} is not a plain file`)
    refuse(path, stats)
    if (stats.size > maxBytes) {
      throw new SealingError('file_too_large', `${path} has ${stats.size} bytes, more than ${maxBytes}`)
    }
    const bytes = new Uint8Array(stats.size)
    let length = 0
    while (length < bytes.length) {
      const { bytesRead } = await handle.read(bytes, length, bytes.length - length, length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return bytes.subarray(0, length)
  } catch (error) {
    throw failed(path, 'read', error)
  } finally {
    await handle?.close()
  }
}

async function syncDirectory(directory: string): Promise<void> {
  if (ownUid === undefined) return // Windows cannot open a directory
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Writes a new 0600 file beside `path` and brings it to disk. */
async function writeBeside(path: string, bytes: Uint8Array): Promise<string> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(8).toString('hex')}.tmp`)
  const handle = await open(temporary, 'wx', 0o600)
  try {
    await handle.writeFile(bytes)
    await handle.sync()
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  } finally {
    await handle.close()
  }
  return temporary
}

/**
 * Replaces or creates a file, mode 0600, so that a crash leaves the old or the new one, whole, never a mixture.
 * Resolves once the new one is durable. A symbolic link at `path` is replaced, not followed.
 *
 * @throws SealingError `file_missing` (no such directory), `file_failed`
 */
export async function writePrivateFile(path: string, bytes: Uint8Array): Promise<void> {
  const target = resolve(path)
  try {
    const temporary = await writeBeside(target, bytes)
    try {
      await rename(temporary, target)
    } catch (error) {
      await unlink(temporary).catch(() => {})
      throw error
    }
    await syncDirectory(dirname(target))
  } catch (error) {
    throw failed(path, 'written', error)
  }
}

/**
 * Creates a file, mode 0600, whole or not at all; of several that try at once, one succeeds.
 *
 * @throws SealingError `file_exists` when there is anything by that name, `file_missing` (no such directory),
 * `file_failed`
 */
export async function createPrivateFile(path: string, bytes: Uint8Array): Promise<void> {
  const target = resolve(path)
  try {
    const temporary = await writeBeside(target, bytes)
    try {
      // A hard link, unlike a rename, never replaces what is there.
      await link(temporary, target)
    } finally {
      await unlink(temporary).catch(() => {})
    }
    await syncDirectory(dirname(target))
  } catch (error) {
    throw failed(path, 'created', error)
  }
}

/**
 * Makes sure of a directory that only its owner can reach: creates it, with its parents, mode 0700, or checks it.
 * A directory that is there with other bits is refused, never changed.
 *
 * @throws SealingError `file_unsafe` (a symbolic link, not a directory, another owner, group or world bits),
 * `file_failed`
 */
export async function ensurePrivateDirectory(path: string): Promise<void> {
  // Resolved, since a trailing slash would make lstat follow a symbolic link.
  const target = resolve(path)
  try {
    await mkdir(target, { recursive: true, mode: 0o700 })
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code !== 'EEXIST' && code !== 'ENOTDIR') throw failed(path, 'created', error)
  }
  try {
    const stats = await lstat(target)
    if (!stats.isDirectory()) throw new SealingError('file_unsafe', `${path} is not a directory`)
    refuseUnsafe(path, stats)
  } catch (error) {
    throw failed(path, 'checked', error)
  }
}
