import { createHash } from 'node:crypto'
import { existsSync, lstatSync } from 'node:fs'
import { join } from 'node:path'
import { type OwnedCredentials, openCredentials } from '@countersign/credentials'
import { createKekFile, ensurePrivateDirectory, isSealingError, kekFromFile, SealingError } from '@countersign/sealing'
import { openSqlite, type SqliteDatabase } from '@countersign/storage/sqlite'
import { CliError } from '../failure.ts'
import type { CliIo } from '../io.ts'
import { type LockOptions, withFileLock } from './file-lock.ts'
import { personalFolder } from './personal-folder.ts'
import { type Session, sessionFromBytes, sessionToBytes } from './session.ts'
import { storeDamaged } from './store-damage.ts'

/** A person's sessions on this machine, each under the issuer's name: sealed, and for this user of the system alone. */
export interface SessionStore {
  readonly folder: string
  /** @throws CliError `store_damaged` */
  read(issuer: string): Promise<Session | undefined>
  /** Durable when it returns. */
  write(session: Session): Promise<void>
  /** Does not open it. @returns whether there was one */
  remove(issuer: string): Promise<boolean>
  /** All that there are sessions of, sorted. */
  issuers(): Promise<readonly string[]>
  /** The one that was signed in to last, also when its session has ended since. */
  last(): Promise<string | undefined>
  setLast(issuer: string): Promise<void>
  /** The last one, while there is a session of it; else the only one that there is. */
  usual(): Promise<string | undefined>
  /** Runs `work` while no other process does so for this issuer. @throws CliError `busy` */
  exclusive<T>(issuer: string, work: () => Promise<T>): Promise<T>
  close(): Promise<void>
}

const sessionName = 'session'
/** No issuer: those have a scheme. */
const ownOwner = 'countersign-cli'
const lastName = 'last issuer'
const longestOwner = 256
const pageSize = 200

/** Names of owners hold no slash. */
function ownerOf(issuer: string): string {
  const owner = encodeURIComponent(issuer)
  if (owner.length <= longestOwner) return owner
  throw new CliError('address_unusable', 'The issuer is too long.', { remedy: 'Give an issuer of fewer characters.' })
}

/** Neither another user's file nor a link to one; the open would not look. */
function refuseOthers(file: string): void {
  const stats = lstatSync(file)
  const uid = process.geteuid?.()
  if (!stats.isFile()) throw new SealingError('file_unsafe', `${file} is not a plain file`)
  if (uid === undefined) return
  if (stats.uid !== uid) throw new SealingError('file_unsafe', `${file} is owned by user ${stats.uid}, not by ${uid}`)
  if ((stats.mode & 0o077) !== 0) {
    throw new SealingError('file_unsafe', `${file} can be reached by others than its owner`)
  }
}

export interface OpenOptions extends LockOptions {
  /** Makes the store where there is none; otherwise there is no store then. */
  readonly create: boolean
}

/**
 * Opens the store of whoever runs this. Any number of processes may have it open.
 * @throws SealingError `file_unsafe` when another user owns it, or could have reached it; CliError `store_damaged`
 */
export async function openSessionStore(
  io: Pick<CliIo, 'env' | 'clock'>,
  { create, ...lockOptions }: OpenOptions,
): Promise<SessionStore | undefined> {
  const folder = personalFolder(io.env)
  const [kekFile, databaseFile] = [join(folder, 'kek'), join(folder, 'sessions.db')]
  if (!create && !existsSync(folder)) return undefined
  await ensurePrivateDirectory(folder)
  // Looked at in this order: of two processes at once, the second sees no database before it sees the key.
  const hasDatabase = existsSync(databaseFile)
  const hasKek = existsSync(kekFile)
  if (hasDatabase && !hasKek) throw storeDamaged(folder, `${kekFile} is missing.`)
  if (!hasDatabase && !create) return undefined
  if (!hasKek) await makeKek(kekFile)
  if (hasDatabase) refuseOthers(databaseFile)
  const kek = kekFromFile(kekFile)
  // Once, so that a key that is no longer good is told of before anybody is asked for a password.
  await kek.current().then(({ secret }) => secret.fill(0))
  const database = await openSqlite(databaseFile)
  try {
    const credentials = await openCredentials({
      store: database.stores.credentials,
      kek,
      now: () => Math.floor(io.clock.now()),
    })
    const close = async (): Promise<void> => {
      credentials.close()
      await database.close()
    }
    return storeOver(folder, database, { of: credentials.of, close, lockOptions })
  } catch (error) {
    await database.close()
    throw error
  }
}

async function makeKek(file: string): Promise<void> {
  try {
    const made = await createKekFile(file)
    made.secret.fill(0)
  } catch (error) {
    // Another process was quicker.
    if (!isSealingError(error) || error.code !== 'file_exists') throw error
  }
}

interface Parts {
  of(owner: string): OwnedCredentials
  close(): Promise<void>
  readonly lockOptions: LockOptions
}

function storeOver(folder: string, database: SqliteDatabase, { of, close, lockOptions }: Parts): SessionStore {
  const store: SessionStore = {
    folder,
    async read(issuer) {
      const bytes = await of(ownerOf(issuer)).get(sessionName)
      if (bytes === undefined) return undefined
      const session = sessionFromBytes(bytes)
      bytes.fill(0)
      if (session?.issuer === issuer) return session
      throw storeDamaged(folder, `what is kept for ${issuer} is no session that this version reads.`)
    },
    async write(session) {
      const bytes = sessionToBytes(session)
      await of(ownerOf(session.issuer)).put(sessionName, bytes)
      bytes.fill(0)
    },
    remove: (issuer) => of(ownerOf(issuer)).remove(sessionName),
    async issuers() {
      const found = new Set<string>()
      for (let after: { owner: string; name: string } | undefined; ; ) {
        const page = await database.stores.credentials.page(after, pageSize)
        for (const { owner, name } of page) if (name === sessionName) found.add(decodeURIComponent(owner))
        const last = page.at(-1)
        if (last === undefined) return [...found].sort()
        after = { owner: last.owner, name: last.name }
      }
    },
    async last() {
      const bytes = await of(ownOwner).get(lastName)
      return bytes === undefined ? undefined : new TextDecoder().decode(bytes)
    },
    async setLast(issuer) {
      await of(ownOwner).put(lastName, new TextEncoder().encode(issuer))
    },
    async usual() {
      const last = await store.last()
      const all = await store.issuers()
      if (last !== undefined && all.includes(last)) return last
      return all.length === 1 ? all[0] : undefined
    },
    exclusive(issuer, work) {
      const name = createHash('sha256').update(issuer).digest('hex').slice(0, 16)
      return withFileLock(join(folder, `${name}.lock`), work, lockOptions)
    },
    close,
  }
  return store
}
