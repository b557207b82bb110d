import { type Call, perform, type Result } from '../operation.ts'
import type { WriteName, Writes } from '../operations.ts'
import { StorageError } from '../storage-error.ts'
import { isBusy, storageError } from './failure.ts'
import { type Answer, type Request, type SentError, toSent } from './protocol.ts'

/** What the group commit needs of a connection. */
export interface Transactional {
  readonly execute: (call: Call) => Result
  begin(): void
  commit(): void
  rollback(): void
  savepoint(): void
  release(): void
  rollbackToSavepoint(): void
  readonly inTransaction: boolean
}

export interface GroupCommitOptions {
  readonly connection: Transactional
  readonly writes: Writes
  /** The most writes in one transaction. */
  readonly maxBatch: number
  /** How long a write may wait for other processes' locks. */
  readonly busyTimeoutMs: number
  /** Called after a commit, with the answers of its members; `fatal`: nothing more will be written. */
  readonly answer: (answers: readonly Answer[], fatal?: SentError) => void
  readonly now: () => number
  readonly after: (ms: number, call: () => void) => void
}

interface Waiting {
  readonly request: Request
  readonly until: number
}

/** Between tries for a lock that another process holds. */
const retryMs = 5

/**
 * Runs the writes that wait in one transaction and answers only after its commit: one sync of the disk for all of them.
 * While it syncs the next ones gather, so that there is no wait in order to gather.
 *
 * If one of them fails, all are rolled back and run again with a savepoint around each. Savepoints from the start would
 * copy every page before its first change by each member, and writing is most of the cost of a small transaction.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions
  #waiting: Waiting[] = []
  #retrying = false
  #fatal: SentError | undefined

  constructor(options: GroupCommitOptions) {
    this.#options = options
  }

  get isIdle(): boolean {
    return this.#waiting.length === 0
  }

  push(requests: readonly Request[]): void {
    const until = this.#options.now() + this.#options.busyTimeoutMs
    for (const request of requests) this.#waiting.push({ request, until })
  }

  /** Commits the next members. @returns whether to call again at once: there are more, and no lock is in the way */
  step(): boolean {
    if (this.#waiting.length === 0 || this.#retrying) return false
    const batch = this.#waiting.slice(0, this.#options.maxBatch).map((one) => one.request)
    if (this.#fatal !== undefined) {
      this.#finish(batch.map((request) => [request[0], undefined, this.#fatal as SentError]))
      return this.#waiting.length > 0
    }
    try {
      this.#finish(this.#commit(batch))
    } catch (error) {
      if (!isBusy(error)) throw error
      this.#retryLater(error)
      return false
    }
    return this.#waiting.length > 0
  }

  #finish(answers: readonly Answer[]): void {
    this.#waiting = this.#waiting.slice(answers.length)
    this.#options.answer(answers, this.#fatal)
  }

  /** @throws only that the database is busy; then nothing was done */
  #commit(batch: readonly Request[]): readonly Answer[] {
    try {
      return this.#transaction(batch)
    } catch (error) {
      if (isBusy(error)) throw error
      const failure = storageError(error)
      const sent = toSent(failure)
      // After a failed write or sync nobody knows what the file holds: not even whether this was stored.
      if (failure.code === 'io_error') this.#fatal = sent
      else if (batch.length > 1) return batch.flatMap((request) => this.#commitAlone(request))
      return batch.map((request) => [request[0], undefined, sent])
    }
  }

  /** What brought a whole transaction down (a full disk, say) was perhaps one member's doing. */
  #commitAlone(request: Request): readonly Answer[] {
    if (this.#fatal !== undefined) return [[request[0], undefined, this.#fatal]]
    try {
      return this.#commit([request])
    } catch (error) {
      return [[request[0], undefined, toSent(storageError(error))]]
    }
  }

  #transaction(batch: readonly Request[], isolated = false): readonly Answer[] {
    const { connection } = this.#options
    connection.begin()
    try {
      const answers = batch.map((one) => (isolated ? this.#member(one) : this.#run(one)))
      connection.commit()
      return answers
    } catch (error) {
      if (connection.inTransaction) this.#rollback()
      // Nothing of it is left. Once more, so that the one that failed fails alone.
      if (!isolated && batch.length > 1 && isOfOneMember(storageError(error))) return this.#transaction(batch, true)
      throw error
    }
  }

  #rollback(): void {
    try {
      this.#options.connection.rollback()
    } catch (cause) {
      throw new StorageError('io_error', 'A transaction could not be rolled back.', { cause })
    }
  }

  #member(request: Request): Answer {
    const { connection } = this.#options
    connection.savepoint()
    try {
      const answer = this.#run(request)
      connection.release()
      return answer
    } catch (error) {
      const failure = storageError(error)
      // SQLite has rolled everything back already, or could not say what is left.
      if (!connection.inTransaction || !isOfOneMember(failure)) throw error
      connection.rollbackToSavepoint()
      connection.release()
      return [request[0], undefined, toSent(failure)]
    }
  }

  #run([id, name, args]: Request): Answer {
    const operation = this.#options.writes[name as WriteName] as
      | ((...args: unknown[]) => ReturnType<Writes['touch']>)
      | undefined
    if (operation === undefined) throw new StorageError('failed', `There is no operation "${name}".`)
    return [id, perform(operation(...args), this.#options.connection.execute)]
  }

  #retryLater(error: unknown): void {
    const now = this.#options.now()
    const over = this.#waiting.filter((one) => one.until <= now)
    if (over.length > 0) {
      const sent = toSent(storageError(error))
      this.#waiting = this.#waiting.filter((one) => one.until > now)
      this.#options.answer(over.map(({ request }) => [request[0], undefined, sent]))
    }
    this.#retrying = true
    this.#options.after(retryMs, () => {
      this.#retrying = false
    })
  }
}

function isOfOneMember(failure: StorageError): boolean {
  return failure.code === 'conflict' || failure.code === 'invalid_value' || failure.code === 'failed'
}
