import { randomUUID } from 'node:crypto'
import { constants, type FileHandle, link, mkdir, open, unlink } from 'node:fs/promises'
import { dirname } from 'node:path'
import { type DpopKey, type DpopPrivateJwk, importDpopKey } from '@countersign/tokens/dpop'
import { RunnerError } from './runner-error.ts'

/** Where the runner's key rests: the only thing that outlives its process. */
export interface KeyStore {
  /** Undefined if there is none yet. @throws RunnerError when what is there may not be used */
  load(): Promise<DpopPrivateJwk | undefined>
  /** Keeps the first key; never replaces one. @throws RunnerError `key_exists` */
  save(key: DpopPrivateJwk): Promise<void>
}

export interface FileKeyStoreOptions {
  /** Told once that the key rests unencrypted. @default `process.emitWarning` */
  readonly onWarning?: (message: string) => void
}

const longestFile = 4_096

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

async function openPrivate(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined
    if (codeOf(cause) === 'ELOOP') {
      throw new RunnerError('key_file_exposed', 'The key file is a symbolic link.', { cause })
    }
    throw cause
  }
}

async function readPrivate(file: FileHandle): Promise<unknown> {
  const about = await file.stat()
  const isOurs = about.isFile() && (process.getuid === undefined || about.uid === process.getuid())
  if (!isOurs || (about.mode & 0o077) !== 0) {
    throw new RunnerError('key_file_exposed', 'The key file is not a file of this user alone (mode 0600).')
  }
  if (about.size > longestFile) throw new RunnerError('key_file_unreadable', 'The key file is too long.')
  const text = await file.readFile('utf8')
  try {
    return JSON.parse(text)
  } catch {
    // The parser's message would quote the key.
    throw new RunnerError('key_file_unreadable', 'The key file holds no JSON.')
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY)
  await directory.sync().finally(() => directory.close())
}

/**
 * The key in a file of mode 0600, unencrypted: whoever reads this user's files has the key, and what stops them is to
 * revoke the runner. A key in hardware or a keychain is a {@link KeyStore} of your own.
 */
export function fileKeyStore(path: string, options: FileKeyStoreOptions = {}): KeyStore {
  const { onWarning = (message) => process.emitWarning(message) } = options
  let hasWarned = false
  const warn = (): void => {
    if (!hasWarned) onWarning(`The runner's private key rests unencrypted in ${path}; only this user can read it.`)
    hasWarned = true
  }
  return {
    load: async () => {
      const file = await openPrivate(path)
      if (file === undefined) return undefined
      const jwk = await readPrivate(file).finally(() => file.close())
      await importDpopKey(jwk).catch((cause: unknown) => {
        throw new RunnerError('key_file_unreadable', 'The key file holds no key for proofs.', { cause })
      })
      warn()
      return jwk as DpopPrivateJwk
    },
    save: async (key) => {
      const directory = dirname(path)
      await mkdir(directory, { recursive: true, mode: 0o700 })
      const beside = `${path}.${randomUUID()}`
      const file = await open(beside, 'wx', 0o600)
      try {
        await file.writeFile(`${JSON.stringify(key)}\n`)
        await file.sync()
        // Unlike a rename, a link replaces nothing.
        await link(beside, path)
      } catch (cause) {
        if (codeOf(cause) === 'EEXIST') throw new RunnerError('key_exists', undefined, { cause })
        throw cause
      } finally {
        await file.close()
        await unlink(beside)
      }
      await syncDirectory(directory)
      warn()
    },
  }
}

/** @throws RunnerError `key_missing` */
export async function loadKey(keys: KeyStore): Promise<DpopKey> {
  const jwk = await keys.load()
  if (jwk === undefined) throw new RunnerError('key_missing')
  return await importDpopKey(jwk)
}
