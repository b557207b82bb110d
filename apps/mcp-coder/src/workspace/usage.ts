import { lstat, opendir } from 'node:fs/promises'
import { WorkspaceFault } from './fault.ts'
import type { WorkspaceLimits } from './limits.ts'
import { inFolder, type OpenFolder, ofFolder, openFolder } from './open-below.ts'

export interface Usage {
  readonly bytes: number
  readonly entries: number
}

/**
 * What lies below a folder; counts no further once a limit is passed. A folder stays open while those in it are counted:
 * one that lies too deep counts as more than there may be, or a command's chain of folders would take every descriptor.
 */
export async function measure(
  folder: OpenFolder,
  limits: Pick<WorkspaceLimits, 'totalBytes' | 'entries' | 'nested'>,
): Promise<Usage> {
  let bytes = 0
  let entries = 0
  const isOver = (): boolean => bytes > limits.totalBytes || entries > limits.entries
  const look = async (within: OpenFolder, depth: number): Promise<void> => {
    for await (const { name, isFolder } of entriesOf(within)) {
      entries += 1
      if (isFolder && depth >= limits.nested) entries = limits.entries + 1
      if (isOver()) return
      if (isFolder) await below(within, name, (next) => look(next, depth + 1))
      else bytes += await sizeOf(within, name)
      if (isOver()) return
    }
  }
  await look(folder, 0)
  return { bytes, entries }
}

/** What there is may go while it is looked at: a command runs beside. */
export async function below(
  folder: OpenFolder,
  name: string,
  look: (folder: OpenFolder) => Promise<void>,
): Promise<void> {
  let next: OpenFolder
  try {
    next = await openFolder(folder, [name])
  } catch (error) {
    if (error instanceof WorkspaceFault) return
    throw error
  }
  try {
    await look(next)
  } finally {
    await next.handle.close()
  }
}

export async function* entriesOf(folder: OpenFolder): AsyncGenerator<{
  readonly name: string
  readonly isFolder: boolean
  readonly isFile: boolean
  readonly isLink: boolean
}> {
  for await (const entry of await opendir(ofFolder(folder))) {
    yield { name: entry.name, isFolder: entry.isDirectory(), isFile: entry.isFile(), isLink: entry.isSymbolicLink() }
  }
}

export async function sizeOf(folder: OpenFolder, name: string): Promise<number> {
  const stats = await lstat(inFolder(folder, name)).catch(() => undefined)
  // Blocks, not length: a file with holes takes what it takes.
  return stats === undefined ? 0 : Math.max(stats.blocks * 512, stats.isFile() ? 0 : stats.size)
}
