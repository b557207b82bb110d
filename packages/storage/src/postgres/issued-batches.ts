import type { IssuedRecord, TokenStatus } from '@countersign/issuer'
import { isStorageError, StorageError } from '../storage-error.ts'
import { recourse, storageError } from './failure.ts'

export interface IssuedBatchesOptions {
  /** Runs the statement, which is a transaction by itself. A StorageError says all there is to say. */
  readonly storeAll: (sql: string, values: readonly unknown[]) => Promise<unknown>
  readonly storeAlone: (issued: IssuedRecord) => Promise<void>
  readonly status: (jti: string) => Promise<TokenStatus | undefined>
}

interface Waiting {
  readonly issued: IssuedRecord
  readonly resolve: () => void
  readonly reject: (error: StorageError) => void
}

/** What `addIssued` does, for a list: rows, and their sessions kept for as long as the tokens live. */
const storeAll = `
  WITH given AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int8[], $8::int8[])
      AS t (jti, session_id, kid, audience, client_id, subject, issued_at, expires_at)
  ), stored AS (
    INSERT INTO issued_tokens (jti, session_id, kid, audience, client_id, subject, issued_at, expires_at)
    SELECT jti, session_id, kid, audience, client_id, subject, issued_at, expires_at FROM given
  ), kept AS (
    SELECT session_id, max(expires_at) AS until FROM given GROUP BY session_id
  ), locked AS (
    SELECT id FROM sessions WHERE id IN (SELECT session_id FROM kept) ORDER BY id FOR NO KEY UPDATE
  )
  UPDATE sessions AS s SET issued_until = k.until, keep_until = greatest(s.keep_until, k.until)
  FROM kept AS k JOIN locked AS l ON l.id = k.session_id
  WHERE s.id = k.session_id AND s.issued_until < k.until`

const most = 256
/**
 * How many have to wait for one more statement, by how many are under way: while one is, the next ones gather, and there is
 * no wait in order to gather. One that waits for a row that somebody else holds must not hold up a busy service.
 */
const enough = [1, 16, 64, most]

/**
 * Stores the rows of tokens, which a busy service issues by the thousand: those that come together in one statement. If it
 * fails, each is tried alone, and one that fails takes no other with it. If its answer is lost, each is tried as well: a
 * row that is there already, and is the same, was stored.
 */
export class IssuedBatches {
  readonly #options: IssuedBatchesOptions
  #waiting: Waiting[] = []
  #underWay = 0
  #isFlushing = false

  constructor(options: IssuedBatchesOptions) {
    this.#options = options
  }

  add(issued: IssuedRecord): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ issued, resolve, reject })
      this.#flushSoon()
    })
  }

  #flushSoon(): void {
    if (this.#isFlushing || !this.#areEnough()) return
    this.#isFlushing = true
    setImmediate(() => {
      this.#isFlushing = false
      while (this.#areEnough()) void this.#flush()
    })
  }

  #areEnough(): boolean {
    const needed = enough[this.#underWay]
    return needed !== undefined && this.#waiting.length >= needed
  }

  async #flush(): Promise<void> {
    const batch = this.#waiting.splice(0, most)
    this.#underWay += 1
    try {
      await this.#store(batch)
    } finally {
      this.#underWay -= 1
      this.#flushSoon()
    }
  }

  async #store(batch: readonly Waiting[]): Promise<void> {
    try {
      await this.#options.storeAll(storeAll, columnsOf(batch.map(({ issued }) => issued)))
      for (const { resolve } of batch) resolve()
    } catch (error) {
      if (isStorageError(error) && error.code !== 'invalid_value') {
        // Nothing was sent, or it is stored without the standby's word.
        for (const { reject } of batch) reject(error)
        return
      }
      const isLost = recourse(error) === 'reconnect'
      await Promise.all(batch.map((one) => this.#storeAgain(one, isLost)))
    }
  }

  /** @param isLost whether the row may be stored already: the answer was lost */
  async #storeAgain({ issued, resolve, reject }: Waiting, isLost: boolean): Promise<void> {
    try {
      await this.#options.storeAlone(issued)
      resolve()
    } catch (error) {
      const failure = storageError(error)
      const isStored = isLost && failure.code === 'conflict' && (await this.#isStored(issued).catch(() => false))
      if (isStored) resolve()
      else if (!isLost || failure.code === 'conflict') reject(failure)
      else reject(new StorageError('outcome_unknown', 'The connection was lost during COMMIT.', { cause: failure }))
    }
  }

  async #isStored(issued: IssuedRecord): Promise<boolean> {
    const found = (await this.#options.status(issued.jti))?.issued
    return found !== undefined && toRow(found).every((value, i) => value === toRow(issued)[i])
  }
}

function toRow({ jti, sessionId, kid, audience, clientId, subject, issuedAt, expiresAt }: IssuedRecord) {
  return [jti, sessionId, kid, audience, clientId, subject, issuedAt, expiresAt] as const
}

function columnsOf(list: readonly IssuedRecord[]): readonly unknown[] {
  const rows = list.map(toRow)
  for (const value of rows.flat()) {
    const isValue = typeof value === 'number' || (value.isWellFormed() && !value.includes('\0'))
    if (!isValue) throw new StorageError('invalid_value', 'Text must be well-formed Unicode without NUL.')
  }
  return Array.from({ length: 8 }, (_, column) => rows.map((row) => row[column]))
}
