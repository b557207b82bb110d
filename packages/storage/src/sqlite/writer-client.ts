import { Worker } from 'node:worker_threads'
import type { WriteName, WriteResult, Writes } from '../operations.ts'
import { StorageError } from '../storage-error.ts'
import type { Migrated } from './prepare.ts'
import { type FromWriter, fromSent, type Request, type ToWriter, type WriterData } from './protocol.ts'

/** Starts the writer's thread. The file beside this one has its extension: `.ts` in the sources, `.js` once built. */
export function startWriter(data: WriterData): Worker {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js'
  return new Worker(new URL(`./writer.${extension}`, import.meta.url), {
    workerData: data,
    name: 'countersign-sqlite-writer',
    execArgv: [],
  })
}

interface Pending {
  readonly resolve: (value: never) => void
  readonly reject: (error: StorageError) => void
}

export interface WriterStatistics {
  /** Writes that wait for their answer now. */
  readonly pending: number
  /** Writes that were answered. */
  readonly writes: number
  /** Transactions that they were part of. */
  readonly transactions: number
  /** The most writes in one transaction. */
  readonly largestTransaction: number
}

export interface WriterClientOptions {
  /** More writes than this waiting are refused as `busy`. */
  readonly maxPending: number
  /** Called once, when nothing can be written any more. */
  readonly onFatal: (error: StorageError) => void
}

/** This thread's side of the writer: sends the writes of a turn of the event loop as one message. */
export class WriterClient {
  readonly ready: Promise<Migrated>
  readonly #worker: Worker
  readonly #options: WriterClientOptions
  readonly #pending = new Map<number, Pending>()
  readonly #exited: Promise<void>
  #outgoing: Request[] = []
  #nextId = 1
  /** Why no further write is taken. */
  #over: StorageError | undefined
  #isReady = false
  #isClosing = false
  #writes = 0
  #transactions = 0
  #largestTransaction = 0

  constructor(worker: Worker, options: WriterClientOptions) {
    this.#worker = worker
    this.#options = options
    this.ready = new Promise((resolve, reject) => {
      let crash: unknown
      worker.on('message', (message: FromWriter) => {
        if (message.type === 'answers') {
          this.#receive(message)
        } else if (message.type === 'failed') {
          this.#over = fromSent(message.error)
        } else {
          this.#isReady = true
          // From here on only writes that wait keep the process alive.
          worker.unref()
          resolve({ from: message.from, to: message.to })
        }
      })
      worker.on('error', (error) => {
        crash = error
      })
      worker.on('exit', () => {
        this.#lose(new StorageError('writer_lost', 'The thread that writes has ended.', { cause: crash }))
        reject(this.#over)
      })
    })
    this.#exited = new Promise((resolve) => worker.on('exit', () => resolve()))
  }

  get statistics(): WriterStatistics {
    return {
      pending: this.#pending.size,
      writes: this.#writes,
      transactions: this.#transactions,
      largestTransaction: this.#largestTransaction,
    }
  }

  write<K extends WriteName>(name: K, args: Parameters<Writes[K]>): Promise<WriteResult<K>> {
    if (this.#over !== undefined) return Promise.reject(this.#over)
    if (this.#pending.size >= this.#options.maxPending) {
      return Promise.reject(new StorageError('busy', `${this.#pending.size} writes are waiting already.`))
    }
    return new Promise((resolve, reject) => {
      const id = this.#nextId++
      if (this.#pending.size === 0) this.#worker.ref()
      this.#pending.set(id, { resolve, reject })
      this.#outgoing.push([id, name, args])
      if (this.#outgoing.length === 1) setImmediate(this.#flush)
    })
  }

  /** Takes no further writes; resolves when those that wait are answered and the thread has ended. */
  close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true
      this.#over ??= new StorageError('closed', 'The database is closed.')
      this.#worker.ref()
      this.#flush()
      this.#send('close')
    }
    return this.#exited
  }

  readonly #flush = (): void => {
    if (this.#outgoing.length === 0) return
    const requests = this.#outgoing
    this.#outgoing = []
    try {
      this.#send(requests)
    } catch {
      for (const request of requests) this.#sendAlone(request)
    }
  }

  /** One value that cannot be sent to another thread must not take the writes of others with it. */
  #sendAlone(request: Request): void {
    try {
      this.#send([request])
    } catch (cause) {
      const error = new StorageError('invalid_value', 'The value cannot be stored: it holds more than data.', { cause })
      this.#settle(request[0])?.reject(error)
    }
  }

  #send(message: ToWriter): void {
    this.#worker.postMessage(message)
  }

  #receive({ answers, fatal }: Extract<FromWriter, { type: 'answers' }>): void {
    this.#transactions += 1
    this.#writes += answers.length
    this.#largestTransaction = Math.max(this.#largestTransaction, answers.length)
    for (const [id, value, error] of answers) {
      const pending = this.#settle(id)
      if (error === undefined) pending?.resolve(value as never)
      else pending?.reject(fromSent(error))
    }
    if (fatal !== undefined && (this.#over === undefined || this.#over.code === 'closed')) this.#fail(fromSent(fatal))
  }

  #settle(id: number): Pending | undefined {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (this.#pending.size === 0 && !this.#isClosing) this.#worker.unref()
    return pending
  }

  #fail(error: StorageError): void {
    this.#over = error
    if (this.#isReady) this.#options.onFatal(error)
  }

  #lose(error: StorageError): void {
    this.#outgoing = []
    for (const id of [...this.#pending.keys()]) this.#settle(id)?.reject(error)
    if (this.#over === undefined) this.#fail(error)
  }
}
