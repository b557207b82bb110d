import { randomUUID } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import Database from 'better-sqlite3'

/**
 * `queued`: to be charged, in the customer's name. `charged`: the provider has it. `settling`: the provider says that it is
 * paid, to be booked by the service itself. `needs_customer`: the token ended first. The last two are the ends.
 */
export const jobStates = ['queued', 'charged', 'settling', 'needs_customer', 'settled', 'failed'] as const
export type JobState = (typeof jobStates)[number]

export interface Job {
  readonly id: string
  /** Issuer and subject together. */
  readonly owner: string
  /** The owner's name for it. */
  readonly order: string
  /** In the currency's smallest unit. */
  readonly amount: number
  readonly currency: string
  readonly state: JobState
  /** The customer's leave, while the job needs it. */
  readonly token: string | null
  /** Unix seconds: when the leave ends. */
  readonly expires: number
  /** The provider's name for the charge. */
  readonly charge: string | null
  /** Why it needs its customer, or failed. */
  readonly reason: string | null
  /** Runs that came to nothing. */
  readonly tries: number
}

export type NewJob = Pick<Job, 'owner' | 'order' | 'amount' | 'currency' | 'expires'> & { readonly token: string }

export interface LedgerEntry {
  readonly job: string
  readonly charge: string
  readonly amount: number
  readonly currency: string
}

/** What the provider says of a charge. */
export interface ChargeNews {
  readonly type: 'charge.settled' | 'charge.failed'
  readonly job: string
  readonly charge: string
  readonly amount: number
  readonly currency: string
}

export type NewsAnswer = 'taken' | 'known' | 'unknown_job'

const schema = `
  CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, owner TEXT NOT NULL, "order" TEXT NOT NULL, amount INTEGER NOT NULL, currency TEXT NOT NULL,
    state TEXT NOT NULL, token TEXT, expires REAL NOT NULL, charge TEXT, reason TEXT, tries INTEGER NOT NULL DEFAULT 0,
    due REAL NOT NULL, added REAL NOT NULL, UNIQUE (owner, "order")
  ) STRICT;
  CREATE INDEX IF NOT EXISTS jobs_due ON jobs (state, due);
  CREATE TABLE IF NOT EXISTS ledger (
    job TEXT PRIMARY KEY, charge TEXT NOT NULL UNIQUE, amount INTEGER NOT NULL, currency TEXT NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS messages (id TEXT PRIMARY KEY, forget REAL NOT NULL) STRICT, WITHOUT ROWID;
`

const columns = 'id, owner, "order", amount, currency, state, token, expires, charge, reason, tries'

export type JobQueue = ReturnType<typeof openQueue>

/**
 * Opens the durable queue and makes it (0600, since tokens are in it) where it is missing. A job leaves a state only
 * together with what it did there, so that a killed worker begins that state again.
 */
export function openQueue(file: string, clock: { now(): number }) {
  closeSync(openSync(file, 'a', 0o600))
  const database = new Database(file, { timeout: 5_000 })
  database.pragma('journal_mode = wal')
  database.pragma('synchronous = full')
  // What a job no longer needs is overwritten, its token above all.
  database.pragma('secure_delete = on')
  database.exec(schema)
  const byId = database.prepare<[string], Job>(`SELECT ${columns} FROM jobs WHERE id = ?`)
  const byOrder = database.prepare<[string, string], Job>(`SELECT ${columns} FROM jobs WHERE owner = ? AND "order" = ?`)
  const insert = database.prepare(
    `INSERT INTO jobs (id, owner, "order", amount, currency, state, token, expires, due, added)
     VALUES (@id, @owner, @order, @amount, @currency, 'queued', @token, @expires, @now, @now)`,
  )
  const renew = database.prepare(
    `UPDATE jobs SET state = 'queued', token = ?, expires = ?, reason = NULL, due = ?
     WHERE id = ? AND state IN ('queued', 'needs_customer')`,
  )
  const nextDue = database.prepare<[number], Job>(
    `SELECT ${columns} FROM jobs WHERE state IN ('queued', 'settling') AND due <= ? ORDER BY due LIMIT 1`,
  )
  const move = database.prepare(
    `UPDATE jobs SET state = @to, token = NULL, charge = coalesce(@charge, charge), reason = @reason, tries = 0, due = @now
     WHERE id = @id AND state = @from`,
  )
  const putOff = database.prepare('UPDATE jobs SET tries = tries + 1, due = ? WHERE id = ?')
  const newest = database.prepare<[number], Job>(`SELECT ${columns} FROM jobs ORDER BY added DESC, id LIMIT ?`)
  const book = database.prepare('INSERT INTO ledger (job, charge, amount, currency) VALUES (?, ?, ?, ?)')
  const ledger = database.prepare<[], LedgerEntry>('SELECT job, charge, amount, currency FROM ledger')
  const remember = database.prepare('INSERT OR IGNORE INTO messages (id, forget) VALUES (?, ?)')
  const forget = database.prepare('DELETE FROM messages WHERE forget < ?')

  const change = (job: Job, to: JobState, { charge = null, reason = null }: Partial<Job> = {}): boolean =>
    move.run({ id: job.id, from: job.state, to, charge, reason, now: clock.now() }).changes === 1

  const add = database.transaction((given: NewJob): { job: Job; isNew: boolean } | undefined => {
    const known = byOrder.get(given.owner, given.order)
    if (known !== undefined) {
      if (known.amount !== given.amount || known.currency !== given.currency) return undefined
      renew.run(given.token, given.expires, clock.now(), known.id)
      return { job: byId.get(known.id) ?? known, isNew: false }
    }
    const id = randomUUID()
    insert.run({ id, now: clock.now(), ...given })
    const job = byId.get(id)
    if (job === undefined) throw new Error('the job was not kept')
    return { job, isNew: true }
  })

  const takeNews = database.transaction((message: string, forgetAt: number, news: ChargeNews): NewsAnswer => {
    forget.run(clock.now())
    const job = byId.get(news.job)
    if (job === undefined) return 'unknown_job'
    if (remember.run(message, forgetAt).changes === 0) return 'known'
    const isOpen = job.state === 'queued' || job.state === 'charged' || job.state === 'needs_customer'
    // Money that moved for an order is news even where this worker was killed before it heard the provider's answer.
    if (!isOpen) return 'taken'
    const fits = news.amount === job.amount && news.currency === job.currency
    if (news.type === 'charge.failed') change(job, 'failed', { charge: news.charge, reason: 'declined' })
    else if (!fits) change(job, 'failed', { charge: news.charge, reason: 'amount_differs' })
    else change(job, 'settling', { charge: news.charge })
    return 'taken'
  })

  const settle = database.transaction((job: Job): boolean => {
    if (job.charge === null || !change(job, 'settled')) return false
    book.run(job.id, job.charge, job.amount, job.currency)
    return true
  })

  return {
    /**
     * Adds a job once for each owner and order. One that is there and waits goes on with the new token.
     * @returns undefined if the order is there for another amount
     */
    add: (given: NewJob) => add.immediate(given),
    get: (id: string): Job | undefined => byId.get(id),
    /** Newest first. */
    list: (limit: number): readonly Job[] => newest.all(limit),
    /** The job that is due for longest. */
    next: (): Job | undefined => nextDue.get(clock.now()),
    /** @returns false if the job has left that state meanwhile */
    change,
    /** Books a settled charge, once. */
    settle: (job: Job): boolean => settle.immediate(job),
    putOff: (job: Job, seconds: number): void => void putOff.run(clock.now() + seconds, job.id),
    /** What a webhook says; a message is heeded once, until `forgetAt`. */
    takeNews: (message: string, forgetAt: number, news: ChargeNews): NewsAnswer =>
      takeNews.immediate(message, forgetAt, news),
    ledger: (): readonly LedgerEntry[] => ledger.all(),
    close: (): void => void database.close(),
  }
}
