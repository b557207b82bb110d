import { closeSync, openSync } from 'node:fs'
import Database from 'better-sqlite3'

/** One message that an agent answered. */
export interface UsageRow {
  /** Counts within its source, from 1. */
  readonly sequence: number
  readonly agent: string
  readonly words: number
  /** Unix seconds. */
  readonly at: number
}

export interface AgentReport {
  readonly agent: string
  readonly messages: number
  readonly words: number
  /** Unix seconds of the first and the last message. */
  readonly first: number
  readonly last: number
}

/** How far a log was loaded. */
export interface Cursor {
  readonly log: string
  readonly after: number
}

export interface ReportStore {
  /** Of every agent, most messages first; 1,000 at most. */
  reports(): readonly AgentReport[]
  cursor(source: string): Cursor | undefined
  /**
   * Adds rows and moves the cursor, both or neither.
   * @returns false, and nothing is done, if the cursor is not where `from` says: somebody else was here
   */
  load(source: string, from: Cursor | undefined, to: Cursor, rows: readonly UsageRow[]): boolean
  /** Adds a batch of rows once. @returns false if the batch is here already */
  addBatch(id: string, rows: readonly UsageRow[]): boolean
  close(): void
}

const schema = `
  CREATE TABLE IF NOT EXISTS usage (
    log TEXT NOT NULL, sequence INTEGER NOT NULL, agent TEXT NOT NULL, words INTEGER NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (log, sequence)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS cursors (
    source TEXT PRIMARY KEY, log TEXT NOT NULL, after INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`

/** Opens the reports' database and makes it (0600) where it is missing; several processes may have it open. */
export function openReportStore(file: string): ReportStore {
  closeSync(openSync(file, 'a', 0o600))
  const database = new Database(file, { timeout: 5_000 })
  database.pragma('journal_mode = wal')
  // What was committed outlives a power cut, not only a kill.
  database.pragma('synchronous = full')
  database.exec(schema)
  const insert = database.prepare('INSERT INTO usage (log, sequence, agent, words, at) VALUES (?, ?, ?, ?, ?)')
  const readCursor = database.prepare<[string], Cursor>('SELECT log, after FROM cursors WHERE source = ?')
  const moveCursor = database.prepare('INSERT OR REPLACE INTO cursors (source, log, after) VALUES (?, ?, ?)')
  const reports = database.prepare<[], AgentReport>(
    `SELECT agent, count(*) AS messages, sum(words) AS words, min(at) AS first, max(at) AS last
     FROM usage GROUP BY agent ORDER BY messages DESC, agent LIMIT 1000`,
  )
  const add = (log: string, rows: readonly UsageRow[]): void => {
    // No OR IGNORE: a row that comes twice is a fault, and undoes the whole page.
    for (const { sequence, agent, words, at } of rows) insert.run(log, sequence, agent, words, at)
  }
  const load = database.transaction(
    (source: string, from: Cursor | undefined, to: Cursor, rows: readonly UsageRow[]): boolean => {
      const now = readCursor.get(source)
      if (now?.log !== from?.log || now?.after !== from?.after) return false
      add(to.log, rows)
      moveCursor.run(source, to.log, to.after)
      return true
    },
  )
  return {
    reports: () => reports.all(),
    cursor: (source) => readCursor.get(source),
    load: (...given) => load.immediate(...given),
    addBatch: (id, rows) =>
      load.immediate(`batch:${id}`, undefined, { log: `batch:${id}`, after: rows.at(-1)?.sequence ?? 0 }, rows),
    close: () => database.close(),
  }
}
