import { randomBytes } from 'node:crypto'
import { resolve as resolvePath } from 'node:path'
import { type AuditFile, openAuditFile } from './audit-file.ts'
import { type AuditEvent, auditLine } from './audit-record.ts'
import { ObservabilityError } from './observability-error.ts'

export type AuditLogEvent =
  /** One append: how many records it held. */
  | { readonly type: 'audit_written'; readonly allowed: number; readonly denied: number; readonly bytes: number }
  /** Records that could not be written; each `record()` of them was rejected with `error`. */
  | { readonly type: 'audit_write_failed'; readonly records: number; readonly error: ObservabilityError }
  /** A line without an end was found (a full disk, a crash); it was ended, and stays as it is. */
  | { readonly type: 'audit_torn_line' }
  /** The file was deleted while open; a new one is begun at the path, if the directory is there. */
  | { readonly type: 'audit_file_deleted' }
  | { readonly type: 'audit_reopened' }

export interface AuditLogOptions {
  /** Called synchronously; what it throws is ignored. */
  readonly onEvent?: (event: AuditLogEvent) => void
  /** @default the machine's clock */
  readonly clock?: { now(): number }
  /**
   * Whether `record()` waits until the disk has the record. Without it a record survives the end of the process, however
   * sudden, but not the machine's. @default false
   */
  readonly fsync?: boolean
  /** Records that may wait for the disk; one more is rejected. 1 to 1,000,000. @default 10_000 */
  readonly mostPending?: number
}

/** Satisfies the `audit` ports of `@countersign/keys` and `@countersign/issuer`. */
export interface AuditLog {
  readonly path: string
  /** The name of this writer, in each of its records. */
  readonly writer: string
  /**
   * Resolves when the record is written, in the order of calls.
   * @throws ObservabilityError `audit_unwritable`, `audit_queue_full`, `audit_closed`, `audit_invalid_record`: what was to
   * be recorded must not happen then. The record may be in the file all the same, when only its `fsync` failed
   */
  record(event: AuditEvent): Promise<void>
  /** Opens the path anew, after a rotation by renaming (SIGHUP). If that fails the old file stays in use. */
  reopen(): Promise<void>
  /** Writes what is pending and closes. */
  close(): Promise<void>
}

interface Pending {
  readonly line: string
  readonly bytes: number
  readonly outcome: AuditEvent['outcome']
  readonly resolve: () => void
  readonly reject: (error: ObservabilityError) => void
}

/** Larger than what a busy event-loop turn brings, small enough to end soon. */
const longestBatchBytes = 1_048_576
/** Appends that make no progress before a batch is given up. */
const mostStalls = 2

/**
 * Opens an audit log: JSON lines, appended only. All records of one turn of the event loop go out in one write, and any
 * number of processes may append to the same file: no line is split by another's. `(writer, seq)` names a record; `seq`
 * has no gaps within a writer but for records that were rejected.
 *
 * @throws ObservabilityError `audit_unsafe_file` for a link, a foreign owner or a mode beyond 0600; `audit_unwritable`;
 * `invalid_options`
 *
 * @example
 * const audit = await openAuditLog('./data/audit.jsonl')
 * await audit.record({
 *   action: 'key.activate', outcome: 'allowed', actor: { type: 'operator', id: 'ada' }, target: { type: 'key', id: kid },
 * })
 */
export async function openAuditLog(path: string, options: AuditLogOptions = {}): Promise<AuditLog> {
  const durable = options.fsync ?? false
  const mostPending = options.mostPending ?? 10_000
  if (!Number.isInteger(mostPending) || mostPending < 1 || mostPending > 1_000_000) {
    throw new ObservabilityError('invalid_options', 'mostPending: expected a whole number from 1 to 1,000,000')
  }
  // A later chdir must not move the log.
  const fullPath = resolvePath(path)
  const file = await openAuditFile(fullPath, durable)
  return new FileAuditLog(fullPath, file, { ...options, fsync: durable, mostPending })
}

class FileAuditLog implements AuditLog {
  readonly path: string
  readonly writer: string = randomBytes(9).toString('base64url')
  readonly #durable: boolean
  readonly #mostPending: number
  readonly #now: () => number
  readonly #onEvent: (event: AuditLogEvent) => void
  #file: AuditFile
  #usable = true
  #seq = 0
  #queue: Pending[] = []
  /** Queued and being written. */
  #waiting = 0
  #scheduled = false
  /** Everything that touches the file, one after the other. */
  #work: Promise<void> = Promise.resolve()
  #closed: Promise<void> | undefined

  constructor(path: string, file: AuditFile, options: AuditLogOptions & { readonly mostPending: number }) {
    this.path = path
    this.#file = file
    this.#durable = options.fsync ?? false
    this.#mostPending = options.mostPending
    const { clock, onEvent } = options
    this.#now = clock === undefined ? () => Date.now() / 1000 : () => clock.now()
    this.#onEvent = (event) => {
      try {
        onEvent?.(event)
      } catch {
        // A listener must not decide whether something was recorded.
      }
    }
  }

  record(event: AuditEvent): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) throw new ObservabilityError('audit_closed', `${this.path} is closed`)
      if (this.#waiting >= this.#mostPending) {
        const error = new ObservabilityError('audit_queue_full', `${this.#waiting} records wait for ${this.path}`)
        this.#onEvent({ type: 'audit_write_failed', records: 1, error })
        throw error
      }
      const ts = Math.round(this.#now() * 1000) / 1000
      const line = auditLine(event, { writer: this.writer, seq: this.#seq + 1, ts })
      this.#seq += 1
      this.#waiting += 1
      this.#queue.push({ line, bytes: Buffer.byteLength(line), outcome: event.outcome, resolve, reject })
      if (!this.#scheduled) {
        this.#scheduled = true
        // After the callbacks of this turn: they all share one write.
        setImmediate(() => {
          this.#scheduled = false
          void this.#then(() => this.#drain())
        })
      }
    })
  }

  reopen(): Promise<void> {
    if (this.#closed !== undefined) {
      return Promise.reject(new ObservabilityError('audit_closed', `${this.path} is closed`))
    }
    return this.#then(async () => {
      await this.#replaceFile()
      this.#onEvent({ type: 'audit_reopened' })
    })
  }

  close(): Promise<void> {
    this.#closed ??= this.#then(async () => {
      await this.#drain()
      await this.#file.close()
    })
    return this.#closed
  }

  #then(step: () => Promise<void>): Promise<void> {
    const done = this.#work.then(step)
    this.#work = done.catch(() => undefined)
    return done
  }

  async #replaceFile(): Promise<void> {
    const file = await openAuditFile(this.path, this.#durable)
    const old = this.#file
    this.#file = file
    this.#usable = true
    await old.close().catch(() => undefined)
  }

  /** Never rejects: every record settles its own promise. */
  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      let count = 0
      for (let bytes = 0; count < this.#queue.length && bytes < longestBatchBytes; count += 1) {
        bytes += this.#queue[count]?.bytes ?? 0
      }
      const batch = this.#queue.splice(0, count)
      await this.#write(batch)
    }
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    let done = 0
    let stalls = 0
    try {
      while (done < batch.length) {
        const torn = await this.#prepare()
        const rest = batch.slice(done)
        const text = Buffer.from(`${torn ? '\n' : ''}${rest.map((pending) => pending.line).join('')}`)
        let taken = (await this.#file.append(text)) - (torn ? 1 : 0)
        const whole: Pending[] = []
        for (const pending of rest) {
          if (taken < pending.bytes) break
          taken -= pending.bytes
          whole.push(pending)
        }
        if (whole.length > 0) await this.#settle(whole)
        done += whole.length
        // A short append means a disk that is filling: the next one says so with an error, or has room again.
        if (whole.length === 0) stalls += 1
        if (stalls > mostStalls) throw new Error('appends make no progress')
      }
    } catch (cause) {
      this.#fail(batch.slice(done), cause)
    }
  }

  /** @returns whether a line must be ended first */
  async #prepare(): Promise<boolean> {
    const deleted = !this.#file.isLinked()
    if (deleted) this.#onEvent({ type: 'audit_file_deleted' })
    if (deleted || !this.#usable) await this.#replaceFile()
    const torn = await this.#file.isTorn()
    if (torn) this.#onEvent({ type: 'audit_torn_line' })
    return torn
  }

  async #settle(written: readonly Pending[]): Promise<void> {
    if (this.#durable) {
      try {
        await this.#file.sync()
      } catch (error) {
        // After a failed sync the kernel may forget what it could not write and call the next one a success.
        this.#usable = false
        throw error
      }
    }
    const denied = written.filter((pending) => pending.outcome === 'denied').length
    const bytes = written.reduce((sum, pending) => sum + pending.bytes, 0)
    this.#waiting -= written.length
    for (const pending of written) pending.resolve()
    this.#onEvent({ type: 'audit_written', allowed: written.length - denied, denied, bytes })
  }

  #fail(unwritten: readonly Pending[], cause: unknown): void {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown'
    const error =
      cause instanceof ObservabilityError
        ? cause
        : new ObservabilityError('audit_unwritable', `${this.path} cannot be written (${code})`, { cause })
    this.#waiting -= unwritten.length
    for (const pending of unwritten) pending.reject(error)
    this.#onEvent({ type: 'audit_write_failed', records: unwritten.length, error })
  }
}
