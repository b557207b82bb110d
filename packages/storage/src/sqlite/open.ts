import type { Reads } from '../operations.ts'
import { checkEngine, type Engine, type Stores, storesOver } from '../stores.ts'
import { compileForSqlite } from './builder.ts'
import { ChangeWatch } from './change-watch.ts'
import { prepareFile } from './files.ts'
import { readOptions, type SqliteOptions, type SqliteSettings } from './options.ts'
import type { WriterStatements } from './protocol.ts'
import { Reader } from './reader.ts'
import { startWriter, WriterClient, type WriterStatistics } from './writer-client.ts'

export interface SqliteDatabase {
  readonly stores: Stores
  /** Calls back (coalesced) after anything was written, by this process or another; the result stops it. */
  onChange(call: () => void): () => void
  /** Reads and writes for real. @throws StorageError why it cannot */
  check(): Promise<void>
  statistics(): WriterStatistics
  /** Takes no further calls, waits until the writes under way are answered, and lets go of the file. */
  close(): Promise<void>
}

/**
 * Opens the database at `path`, and creates it (0600) and its directory (0700) where they are missing.
 * Any number of processes on one machine may have it open.
 * @throws StorageError `unsafe_file`, `cannot_open`, `read_only`, `not_a_database`, `corrupt`, `schema_too_new`, `busy`,
 * `full`, `io_error`; `invalid_value` for an option out of bounds
 */
export async function openSqlite(path: string, options: SqliteOptions = {}): Promise<SqliteDatabase> {
  const settings = readOptions(options)
  const file = await prepareFile(path)
  const { busyTimeoutMs, maxBatch, maxBytes, maxPending } = settings
  const thread = startWriter({ path: file, busyTimeoutMs, maxBatch, maxBytes })
  const writer = new WriterClient(thread, {
    maxPending,
    onFatal: (error) => settings.onEvent({ type: 'fatal', error }),
  })
  const { reads, statements } = compileForSqlite()
  thread.postMessage(statements satisfies WriterStatements)
  const { from, to } = await writer.ready
  if (from !== to) settings.onEvent({ type: 'migrated', from, to })
  try {
    return databaseOver(writer, new Reader(file, settings), reads, settings)
  } catch (error) {
    await writer.close()
    throw error
  }
}

function databaseOver(
  writer: WriterClient,
  reader: Reader,
  reads: Reads,
  { clock, pollIntervalMs }: SqliteSettings,
): SqliteDatabase {
  const watch = new ChangeWatch({ version: () => reader.version(), clock, intervalMs: pollIntervalMs })
  const engine: Engine = {
    reads,
    read: (operation) => reader.read(operation),
    readSteadily: (operation) => reader.readSteadily(operation),
    now: () => clock.now(),
    write: (name, ...args) => writer.write(name, args),
    onChange: (call) => watch.add(call),
    check: () => checkEngine(engine),
  }
  return {
    stores: storesOver(engine),
    onChange: (call) => watch.add(call),
    check: () => checkEngine(engine),
    statistics: () => writer.statistics,
    async close() {
      watch.close()
      // The reader first: the last connection to a file puts the log back into it, and only the writer may write.
      reader.close()
      await writer.close()
    },
  }
}
