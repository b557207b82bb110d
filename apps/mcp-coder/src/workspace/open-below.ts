import { constants, type Stats } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { WorkspaceFault } from './fault.ts'

/** Linux: a descriptor that names a file without opening it, so that no FIFO waits and no device wakes. */
const namesOnly = 0x20_0000
const noFollow = constants.O_NOFOLLOW
const folderFlags = constants.O_RDONLY | constants.O_DIRECTORY | noFollow

/** An open folder; everything below it is reached through its descriptor, whatever happens to its path meanwhile. */
export interface OpenFolder {
  readonly handle: FileHandle
  /** Of the file system that the workspace is on. */
  readonly device: number
  /** Whose everything in it is to be, if not this process's. */
  readonly owner: FileOwner | undefined
}

export interface FileOwner {
  readonly uid: number
  readonly gid: number
}

/** The path of a name in an open folder, as `openat` would have it. */
export const inFolder = ({ handle }: OpenFolder, name: string): string => `/proc/self/fd/${handle.fd}/${name}`

/** The path of an open folder itself. */
export const ofFolder = ({ handle }: OpenFolder): string => `/proc/self/fd/${handle.fd}`

/** Makes what was just made theirs whose the workspace is. */
export async function giveTo(made: FileHandle, { owner }: OpenFolder): Promise<void> {
  if (owner !== undefined) await made.chown(owner.uid, owner.gid)
}

/** @throws WorkspaceFault `not_found`, `not_a_folder` */
export async function openRoot(path: string, owner?: FileOwner): Promise<OpenFolder> {
  const handle = await open(path, folderFlags).catch((cause: unknown) => refuse(cause))
  const { dev: device } = await handle.stat()
  return { handle, device, owner }
}

/** Goes down by names, one by one, following no link. The folder given stays open, and so does the one returned. */
export async function openFolder(
  root: OpenFolder,
  names: readonly string[],
  { create = false }: { readonly create?: boolean } = {},
): Promise<OpenFolder> {
  let folder = await step(root, '.')
  for (const name of names) {
    const { handle } = folder
    try {
      const isNew = create && (await makeFolder(folder, name))
      folder = await step(folder, name)
      if (isNew) await giveTo(folder.handle, folder)
    } finally {
      await handle.close()
    }
  }
  return folder
}

async function makeFolder(folder: OpenFolder, name: string): Promise<boolean> {
  try {
    await mkdir(inFolder(folder, name), { mode: 0o700 })
    return true
  } catch (cause) {
    if (codeOf(cause) === 'EEXIST') return false
    return refuse(cause)
  }
}

async function step(folder: OpenFolder, name: string): Promise<OpenFolder> {
  const handle = await open(inFolder(folder, name), folderFlags).catch((cause: unknown) => refuse(cause, true))
  try {
    const { dev } = await handle.stat()
    if (dev !== folder.device) throw new WorkspaceFault('elsewhere')
    return { handle, device: dev, owner: folder.owner }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/**
 * Opens an ordinary file for reading: named first, looked at, and only then opened, which is the very file that was
 * looked at.
 * @throws WorkspaceFault
 */
export async function openFile(folder: OpenFolder, name: string): Promise<{ file: FileHandle; stats: Stats }> {
  const named = await open(inFolder(folder, name), namesOnly | noFollow).catch((cause: unknown) => refuse(cause))
  try {
    const stats = await named.stat()
    checkFile(stats, folder.device)
    const file = await open(`/proc/self/fd/${named.fd}`, constants.O_RDONLY).catch((cause: unknown) => refuse(cause))
    return { file, stats }
  } finally {
    await named.close()
  }
}

/** @throws WorkspaceFault unless it is an ordinary file of this file system, with this one name */
export function checkFile(stats: Stats, device: number): void {
  if (stats.isSymbolicLink()) throw new WorkspaceFault('a_link')
  if (!stats.isFile()) throw new WorkspaceFault('not_a_file')
  if (stats.dev !== device) throw new WorkspaceFault('elsewhere')
  // The other name may lie outside of the workspace.
  if (stats.nlink > 1) throw new WorkspaceFault('shared')
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

/** The message of what the system says has our paths in it, so that it is kept as the cause only. */
export function refuse(cause: unknown, wantsFolder?: unknown): never {
  const code = codeOf(cause)
  if (code === 'ENOENT') throw new WorkspaceFault('not_found', { cause })
  if (code === 'ENOTDIR') throw new WorkspaceFault('not_a_folder', { cause })
  if (code === 'ELOOP') throw new WorkspaceFault(wantsFolder === true ? 'not_a_folder' : 'a_link', { cause })
  if (code === 'ENOTEMPTY') throw new WorkspaceFault('not_empty', { cause })
  if (code === 'EISDIR' || code === 'ENXIO' || code === 'EACCES' || code === 'EPERM') {
    throw new WorkspaceFault('not_a_file', { cause })
  }
  if (code === 'ENAMETOOLONG' || code === 'EINVAL' || code === 'ERR_INVALID_ARG_VALUE') {
    throw new WorkspaceFault('bad_path', { cause })
  }
  if (code === 'ENOSPC' || code === 'EDQUOT') throw new WorkspaceFault('full', { cause })
  throw cause
}
