import { createHash } from 'node:crypto'
import { type FSWatcher, watch } from 'node:fs'
import { readdir, stat, unlink } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import {
  createPrivateFile,
  ensurePrivateDirectory,
  isSealingError,
  readPrivateFile,
  writePrivateFile,
} from '@countersign/sealing'
import type { KeyRingDocument } from './document.ts'
import { parseKeyRingDocument } from './document-schema.ts'
import { KeysError } from './keys-error.ts'
import type { KeyRingStore } from './ports.ts'

/** Larger files are refused: a thousand keys have half a mebibyte. */
const maxFileBytes = 4 * 1024 * 1024
/** How long the name of a replaced version stays taken, and what a temporary file may be old. */
const markerLifeMs = 60_000
/** These many names stay taken in any case, should the clock have stepped. */
const recentMarkers = 16
/** A process that was stopped for longer than this in the middle of a replacement cannot know any more who won. */
const surePauseMs = markerLifeMs / 2
/** A reader loses a race at most once per replacement. */
const mostReadings = 50

/** File systems differ in letters' case and in what names they take: everything but these is written as its bytes. */
function fileNameOf(ring: string): string {
  const encoded = [...Buffer.from(ring, 'utf8')]
    .map((byte) =>
      /[a-z0-9-]/.test(String.fromCharCode(byte))
        ? String.fromCharCode(byte)
        : `_${byte.toString(16).padStart(2, '0')}`,
    )
    .join('')
  return encoded.length <= 160 ? encoded : `__${createHash('sha256').update(ring).digest('hex')}`
}

/**
 * Keeps key rings as JSON files, mode 0600, in a directory of their own, mode 0700. For any number of processes on one
 * machine; the private keys in them are sealed by the ring.
 *
 * Each version is a file of its own, `NAME.VERSION.json`, and the highest counts. A version comes into being by a hard
 * link from a finished file, which the file system grants to one writer only: that is the whole compare-and-set. There
 * is no lock, so none can be left behind by a crash. What the new version replaces is emptied at once, so that no destroyed
 * key stays on disk, and its name is kept for a minute, so that a slow writer does not mistake it for free.
 *
 * @throws KeysError, from its methods, `ring_invalid`; SealingError `file_unsafe`, `file_failed`, …
 */
export function sealedFile(directory: string): KeyRingStore {
  const folder = resolve(directory)
  const pathOf = (file: string, version: number): string => join(folder, `${file}.${version}.json`)
  let ready: Promise<void> | undefined

  async function ensureFolder(): Promise<void> {
    ready ??= ensurePrivateDirectory(folder)
    try {
      await ready
    } catch (error) {
      ready = undefined
      throw error
    }
  }

  async function versions(file: string): Promise<number[]> {
    const found: number[] = []
    for (const entry of await readdir(folder)) {
      const [, name, version] = /^([^.]+)\.([1-9]\d{0,14})\.json$/.exec(entry) ?? []
      if (name === file) found.push(Number(version))
    }
    return found.sort((a, b) => b - a)
  }

  async function read(ring: string): Promise<KeyRingDocument | undefined> {
    await ensureFolder()
    const file = fileNameOf(ring)
    for (let reading = 0; reading < mostReadings; reading += 1) {
      const [highest] = await versions(file)
      if (highest === undefined) return undefined
      let bytes: Uint8Array
      try {
        bytes = await readPrivateFile(pathOf(file, highest), { maxBytes: maxFileBytes })
      } catch (error) {
        if (isSealingError(error) && error.code === 'file_missing') continue
        throw error
      }
      // Emptied or gone: a newer version has come since the directory was listed.
      if (bytes.length === 0 && (await versions(file))[0] !== highest) continue
      return parse(bytes, ring, highest)
    }
    throw new KeysError('store_contended', `the ring ${ring} was replaced ${mostReadings} times while it was read`)
  }

  function parse(bytes: Uint8Array, ring: string, version: number): KeyRingDocument {
    let value: unknown
    try {
      value = JSON.parse(Buffer.from(bytes).toString('utf8'))
    } catch {
      throw new KeysError('ring_invalid', `version ${version} of the ring ${ring} is not JSON`)
    }
    const document = parseKeyRingDocument(value)
    if (document.name !== ring || document.version !== version) {
      throw new KeysError(
        'ring_invalid',
        `the file of version ${version} of the ring ${ring} holds another ring or version`,
      )
    }
    return document
  }

  /** Empties what is replaced; forgets what was replaced long ago, and what a crash has left half written. */
  async function sweep(file: string, current: number): Promise<void> {
    const before = Date.now() - markerLifeMs
    for (const version of await versions(file)) {
      if (version >= current) continue
      const recent = version >= current - recentMarkers
      const path = pathOf(file, version)
      const stats = await stat(path).catch(() => undefined)
      if (stats === undefined) continue
      if (stats.size > 0) await writePrivateFile(path, new Uint8Array())
      else if (!recent && stats.mtimeMs < before) await unlink(path).catch(() => {})
    }
    for (const entry of await readdir(folder)) {
      if (!entry.startsWith(`.${file}.`) || !entry.endsWith('.tmp')) continue
      const path = join(folder, entry)
      const stats = await stat(path).catch(() => undefined)
      if (stats !== undefined && stats.mtimeMs < before) await unlink(path).catch(() => {})
    }
  }

  async function replace(document: KeyRingDocument): Promise<boolean> {
    await ensureFolder()
    const { name, version } = document
    const file = fileNameOf(name)
    const bytes = Buffer.from(`${JSON.stringify(document, undefined, 2)}\n`)
    const listedAtMs = performance.now()
    if (((await versions(file))[0] ?? 0) !== version - 1) return false
    try {
      await createPrivateFile(pathOf(file, version), bytes)
    } catch (error) {
      if (isSealingError(error) && error.code === 'file_exists') return false
      throw error
    }
    const [highest] = await versions(file)
    if (highest !== version && performance.now() - listedAtMs > surePauseMs) {
      throw new KeysError('store_contended', `whether version ${version} of the ring ${name} was in time is not known`)
    }
    // The new version is durable; what could not be swept now, the next replacement sweeps.
    await sweep(file, version).catch(() => {})
    return true
  }

  return {
    read,
    replace,
    onChange(call) {
      let watcher: FSWatcher | undefined
      let stopped = false
      let telling = false
      ensureFolder()
        .then(() => {
          if (stopped) return
          watcher = watch(folder, { persistent: false }, () => {
            if (telling) return
            telling = true
            setImmediate(() => {
              telling = false
              if (!stopped) call()
            })
          })
          // A directory that can no longer be watched is still read by whoever looks.
          watcher.on('error', () => watcher?.close())
        })
        .catch(() => {})
      return () => {
        stopped = true
        watcher?.close()
      }
    },
  }
}
