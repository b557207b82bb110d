import type { CompiledStatement } from '../statement.ts'
import { StorageError, type StorageErrorCode } from '../storage-error.ts'

/** What the writer's thread is told at its start. */
export interface WriterData {
  readonly path: string
  readonly busyTimeoutMs: number
  readonly maxBatch: number
  readonly maxBytes: number | null
}

/**
 * The first message to the writer: those of `createWrites`, compiled by the thread that starts it, which does so while the
 * writer's thread comes up and opens the file.
 */
export type WriterStatements = readonly CompiledStatement[]

/** One write: a number of its own, the operation's name and arguments. */
export type Request = readonly [id: number, name: string, args: readonly unknown[]]

/** To the writer: the writes of one turn, or that no more will come. */
export type ToWriter = readonly Request[] | 'close'

/** An error on its way between threads: a clone would lose its class. */
export interface SentError {
  readonly code: StorageErrorCode
  readonly message: string
  readonly cause?: unknown
}

export type Answer = readonly [id: number, value: unknown] | readonly [id: number, value: undefined, error: SentError]

/** From the writer. `answers` come after the commit of the transaction that they were part of. */
export type FromWriter =
  | { readonly type: 'ready'; readonly from: number; readonly to: number }
  | { readonly type: 'failed'; readonly error: SentError }
  | { readonly type: 'answers'; readonly answers: readonly Answer[]; readonly fatal?: SentError }

export function toSent(error: StorageError): SentError {
  const cause = error.cause instanceof Error ? { message: error.cause.message, ...codeOf(error.cause) } : undefined
  return { code: error.code, message: error.message, ...(cause === undefined ? {} : { cause }) }
}

function codeOf(error: Error): { readonly code?: unknown } {
  return 'code' in error && typeof error.code === 'string' ? { code: error.code } : {}
}

export function fromSent(sent: SentError): StorageError {
  return new StorageError(sent.code, sent.message, sent.cause === undefined ? {} : { cause: sent.cause })
}
