import { constants, fstatSync, readSync, type Stats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import process from 'node:process'
import { ObservabilityError } from './observability-error.ts'

/** A file that is only ever appended to, by any number of processes. */
export interface AuditFile {
  /** Appends with one system call. @returns how many bytes were taken: fewer than given when the disk is full */
  append(bytes: Uint8Array): Promise<number>
  /** Resolves once what was appended is on the disk. */
  sync(): Promise<void>
  /** Whether the file can still be found by a name. */
  isLinked(): boolean
  /** Whether the last byte is not a newline and stays so: somebody's write ended in the middle of a line. */
  isTorn(): Promise<boolean>
  close(): Promise<void>
}

const newline = 0x0a

/** Between two looks at a line without an end. */
const settleMs = 20
/** A file that grows at each of them, and ends in the middle of a line at each, is taken for torn. */
const mostLooks = 50

function refuse(path: string, stats: Stats): string | undefined {
  if (!stats.isFile()) return `${path} is not a regular file`
  const user = process.getuid?.()
  // Windows has neither owners of this kind nor modes.
  if (user === undefined) return undefined
  if (stats.uid !== user) return `${path} belongs to another user (uid ${stats.uid})`
  const mode = stats.mode & 0o777
  return (mode & 0o077) === 0 ? undefined : `${path} has mode ${mode.toString(8)}, expected 600`
}

function openError(path: string, cause: unknown): ObservabilityError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
  // O_NOFOLLOW answers ELOOP for a link, O_NONBLOCK ENXIO for a pipe or socket; a directory cannot be written.
  return ['ELOOP', 'ENXIO', 'EISDIR', 'EMLINK'].includes(code)
    ? new ObservabilityError('audit_unsafe_file', `${path} is not a regular file (${code})`, { cause })
    : new ObservabilityError('audit_unwritable', `${path} cannot be opened (${code})`, { cause })
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(dirname(path), constants.O_RDONLY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/**
 * Opens or creates (mode 0600) the file. The directory must be there.
 * @throws ObservabilityError `audit_unsafe_file`, `audit_unwritable`
 */
export async function openAuditFile(path: string, durable: boolean): Promise<AuditFile> {
  const { O_RDWR, O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants
  const flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK
  let handle: FileHandle
  try {
    handle = await open(path, flags, 0o600)
  } catch (cause) {
    throw openError(path, cause)
  }
  try {
    const stats = await handle.stat()
    const reason = refuse(path, stats)
    if (reason !== undefined) throw new ObservabilityError('audit_unsafe_file', reason)
    if (durable && stats.size === 0 && process.platform !== 'win32') await syncDirectory(path)
  } catch (error) {
    await handle.close()
    throw error instanceof ObservabilityError ? error : openError(path, error)
  }
  return appendOnly(handle)
}

function appendOnly(handle: FileHandle): AuditFile {
  const { fd } = handle
  const last = new Uint8Array(1)
  // The size after the last append of ours. Another size means that somebody else has written.
  let knownSize = -1
  const endsLine = (size: number): boolean =>
    size === 0 || readSync(fd, last, 0, 1, size - 1) !== 1 || last[0] === newline
  return {
    append: async (bytes) => {
      const { bytesWritten } = await handle.write(bytes)
      knownSize += bytesWritten
      if (bytesWritten < bytes.length) knownSize = -1
      return bytesWritten
    },
    sync: () => handle.datasync(),
    // Synchronous: metadata of an open file is in memory (2 µs), where a trip to the thread pool takes 30.
    isLinked: () => fstatSync(fd).nlink > 0,
    isTorn: async () => {
      let { size } = fstatSync(fd)
      if (size === knownSize) return false
      for (let looks = 1; looks < mostLooks && !endsLine(size); looks += 1) {
        // Another process's write shows page by page while it is under way: the end of its line may be coming.
        await new Promise((resolve) => setTimeout(resolve, settleMs))
        const before = size
        size = fstatSync(fd).size
        if (size === before) break
      }
      knownSize = size
      return !endsLine(size)
    },
    close: () => handle.close(),
  }
}
