import { randomUUID } from 'node:crypto'
import { constants, type Stats } from 'node:fs'
import { lstat, open, rename, rmdir, unlink } from 'node:fs/promises'
import { WorkspaceFault } from './fault.ts'
import type { WorkspaceLimits } from './limits.ts'
import { codeOf, giveTo, inFolder, type OpenFolder, openFile, openFolder, refuse } from './open-below.ts'
import { parsePath } from './parse-path.ts'
import { findInText, type Match } from './search.ts'
import { below, entriesOf, measure, sizeOf, type Usage } from './usage.ts'

export interface ReadText {
  readonly text: string
  readonly fromLine: number
  readonly totalLines: number
  /** Not all that was asked for. */
  readonly isCut: boolean
}

export interface Listed {
  readonly path: string
  readonly type: 'file' | 'folder' | 'link' | 'other'
  readonly bytes?: number
}

/** One subject's files. Every path is the caller's word; nothing outside is read, written or named. */
export interface Workspace {
  /** Its descriptor, as long as it is open. */
  readonly fd: number
  readFile(path: string, range?: { readonly fromLine?: number; readonly lines?: number }): Promise<ReadText>
  /** Whole or not at all; missing folders are made. */
  writeFile(path: string, text: string): Promise<{ readonly bytes: number; readonly isNew: boolean }>
  /** A file, a link as such, or an empty folder. */
  remove(path: string): Promise<void>
  listFiles(path: string, depth: number): Promise<{ readonly entries: readonly Listed[]; readonly isCut: boolean }>
  /** The lines of text files that have `query` in them. */
  search(
    query: string,
    options?: { readonly path?: string; readonly ignoreCase?: boolean; readonly signal?: AbortSignal },
  ): Promise<{ readonly matches: readonly Match[]; readonly isCut: boolean }>
  usage(): Promise<Usage>
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** @param root an open folder, which the caller closes */
export function createWorkspace(root: OpenFolder, limits: WorkspaceLimits): Workspace {
  const inside = async <Result>(
    names: readonly string[],
    work: (folder: OpenFolder) => Promise<Result>,
    options?: { readonly create: boolean },
  ): Promise<Result> => {
    const opened = await openFolder(root, names, options)
    try {
      return await work(opened)
    } finally {
      await opened.handle.close()
    }
  }
  /** The folders, and the last name. */
  const split = (path: string): readonly [folders: readonly string[], name: string] => {
    const names = parsePath(path, limits.depth)
    const name = names.at(-1)
    if (name === undefined || path.endsWith('/')) throw new WorkspaceFault('not_a_file')
    return [names.slice(0, -1), name]
  }

  const readBytes = async (within: OpenFolder, name: string): Promise<Buffer> => {
    const { file, stats } = await openFile(within, name)
    try {
      if (stats.size > limits.fileBytes) throw new WorkspaceFault('too_large')
      // As long as it was when it was looked at: what grows it meanwhile makes no answer longer.
      const bytes = Buffer.alloc(stats.size)
      let length = 0
      while (length < bytes.length) {
        const { bytesRead } = await file.read(bytes, length, bytes.length - length, length)
        if (bytesRead === 0) break
        length += bytesRead
      }
      return bytes.subarray(0, length)
    } finally {
      await file.close()
    }
  }

  const replace = async (within: OpenFolder, name: string, bytes: Buffer): Promise<{ isNew: boolean }> => {
    const before = await existing(within, name)
    const draft = `.coder-${randomUUID()}`
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
    const file = await open(inFolder(within, draft), flags, (before?.mode ?? 0o600) & 0o700).catch(refuse)
    try {
      try {
        await file.writeFile(bytes)
        await giveTo(file, within)
      } finally {
        await file.close()
      }
      // What has the name meanwhile is replaced, never followed.
      await rename(inFolder(within, draft), inFolder(within, name))
    } catch (error) {
      await unlink(inFolder(within, draft)).catch(() => undefined)
      refuse(error)
    }
    return { isNew: before === undefined }
  }

  return {
    fd: root.handle.fd,
    async readFile(path, { fromLine = 1, lines = limits.lines } = {}) {
      const [folders, name] = split(path)
      const bytes = await inside(folders, (within) => readBytes(within, name))
      return cutText(decode(bytes), fromLine, Math.min(lines, limits.lines), limits.textLength)
    },
    async writeFile(path, text) {
      const [folders, name] = split(path)
      const bytes = Buffer.from(text)
      if (bytes.length > limits.fileBytes) throw new WorkspaceFault('too_large')
      const usage = await measure(root, limits)
      if (usage.bytes + bytes.length > limits.totalBytes || usage.entries + folders.length + 1 > limits.entries) {
        throw new WorkspaceFault('full')
      }
      const { isNew } = await inside(folders, (within) => replace(within, name, bytes), { create: true })
      return { bytes: bytes.length, isNew }
    },
    async remove(path) {
      const names = parsePath(path, limits.depth)
      const name = names.at(-1)
      if (name === undefined) throw new WorkspaceFault('bad_path')
      await inside(names.slice(0, -1), async (within) => {
        const isFolder = (await lstat(inFolder(within, name)).catch(refuse)).isDirectory()
        await (isFolder ? rmdir : unlink)(inFolder(within, name)).catch(refuse)
      })
    },
    async listFiles(path, depth) {
      const entries: Listed[] = []
      const list = async (within: OpenFolder, prefix: string, left: number): Promise<void> => {
        for await (const { name, isFolder, isFile, isLink } of entriesOf(within)) {
          if (entries.length > limits.listed) return
          const type = isFolder ? 'folder' : isFile ? 'file' : isLink ? 'link' : 'other'
          const bytes = isFile ? { bytes: await lengthOf(within, name) } : {}
          entries.push({ path: `${prefix}${name}`, type, ...bytes })
          if (isFolder && left > 1) await below(within, name, (next) => list(next, `${prefix}${name}/`, left - 1))
        }
      }
      const names = parsePath(path, limits.depth)
      const prefix = names.map((name) => `${name}/`).join('')
      await inside(names, (within) => list(within, prefix, Math.min(depth, limits.depth)))
      const isCut = entries.length > limits.listed
      const shown = entries.slice(0, limits.listed).sort((a, b) => (a.path < b.path ? -1 : 1))
      return { entries: shown, isCut }
    },
    async search(query, { path = '.', ignoreCase = false, signal } = {}) {
      const matches: Match[] = []
      let read = 0
      const isOver = (): boolean => matches.length > limits.matches || read > limits.searchedBytes
      const look = async (within: OpenFolder, prefix: string, left: number): Promise<void> => {
        for await (const { name, isFolder, isFile } of entriesOf(within)) {
          signal?.throwIfAborted()
          if (isOver()) return
          if (isFolder && left > 0) await below(within, name, (next) => look(next, `${prefix}${name}/`, left - 1))
          if (!isFile) continue
          read += Math.min(await sizeOf(within, name), limits.fileBytes)
          const text = await readBytes(within, name).then(decode).catch(skipFaults)
          if (text === undefined) continue
          matches.push(...findInText(text, query, { path: `${prefix}${name}`, ignoreCase, most: limits.matches + 1 }))
        }
      }
      const names = parsePath(path, limits.depth)
      const prefix = names.map((name) => `${name}/`).join('')
      await inside(names, (within) => look(within, prefix, limits.depth))
      return { matches: matches.slice(0, limits.matches), isCut: isOver() }
    },
    usage: () => measure(root, limits),
  }
}

/** @throws WorkspaceFault `not_a_file` for what is neither absent nor an ordinary file */
async function existing(within: OpenFolder, name: string): Promise<Stats | undefined> {
  const stats = await lstat(inFolder(within, name)).catch((cause: unknown) => {
    if (codeOf(cause) === 'ENOENT') return undefined
    return refuse(cause)
  })
  if (stats?.isSymbolicLink() === true) throw new WorkspaceFault('a_link')
  if (stats !== undefined && !stats.isFile()) throw new WorkspaceFault('not_a_file')
  return stats
}

async function lengthOf(within: OpenFolder, name: string): Promise<number> {
  return (await lstat(inFolder(within, name)).catch(() => undefined))?.size ?? 0
}

function decode(bytes: Buffer): string {
  if (bytes.includes(0)) throw new WorkspaceFault('not_text')
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new WorkspaceFault('not_text', { cause })
  }
}

function skipFaults(error: unknown): undefined {
  if (!(error instanceof WorkspaceFault)) throw error
}

function cutText(text: string, fromLine: number, lines: number, textLength: number): ReadText {
  const all = text.split('\n')
  // A newline at the end ends the last line, and begins no other.
  const totalLines = all.at(-1) === '' ? all.length - 1 : all.length
  const wanted = all.slice(fromLine - 1, fromLine - 1 + lines).join('\n')
  const shown = wanted.slice(0, textLength)
  return { text: shown, fromLine, totalLines, isCut: shown.length < wanted.length || fromLine - 1 + lines < totalLines }
}
