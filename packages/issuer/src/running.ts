import { AuditFailed, type Context } from './context.ts'
import { type IssuerError, isIssuerError } from './errors.ts'
import { HashesBusy } from './passwords.ts'
import { refusal } from './refusals.ts'

/** Every operation runs through here: counted, so that closing can wait, and with faults turned into typed errors. */
export interface Running {
  readonly closing: boolean
  /** @throws IssuerError, whatever failed */
  run<T>(operation: () => Promise<T>): Promise<T>
  /** The same for what needs no waiting and may go on while closing. @throws IssuerError, whatever failed */
  look<T>(operation: () => T): T
  /** Refuses what comes from now on and resolves when nothing runs any more. */
  close(): Promise<void>
}

export function createRunning(context: Context): Running {
  let running = 0
  let closing = false
  const idle: (() => void)[] = []
  return {
    get closing() {
      return closing
    },
    async run(operation) {
      if (closing) throw refusal('closing', { retryAfterSeconds: 1 })
      running += 1
      try {
        return await operation()
      } catch (error) {
        throw typed(context, error)
      } finally {
        running -= 1
        if (closing && running === 0) for (const call of idle.splice(0)) call()
      }
    },
    look(operation) {
      try {
        return operation()
      } catch (error) {
        throw typed(context, error)
      }
    },
    async close() {
      closing = true
      if (running > 0) await new Promise<void>((resolve) => idle.push(resolve))
    },
  }
}

const retryAfterSeconds = 1

function typed(context: Context, error: unknown): IssuerError {
  if (isIssuerError(error)) return error
  if (error instanceof HashesBusy) {
    context.emit({ type: 'rate_limited', limit: 'hashes' })
    return refusal('too_busy', { retryAfterSeconds })
  }
  if (error instanceof AuditFailed) {
    context.emit({ type: 'fault', part: 'audit', error: error.cause })
    return refusal('audit_failed', { retryAfterSeconds, cause: error.cause })
  }
  // By name, not `instanceof`: the store's package is chosen by whoever composes the service.
  const name = error instanceof Error ? error.name : ''
  if (name === 'StorageError') {
    context.emit({ type: 'fault', part: 'store', error })
    return refusal('store_failed', { retryAfterSeconds, cause: error })
  }
  if (name === 'KeysError' || name === 'TokenRejected') {
    context.emit({ type: 'fault', part: 'keys', error })
    return refusal('keys_failed', { retryAfterSeconds, cause: error })
  }
  context.emit({ type: 'fault', part: 'unknown', error })
  return refusal('fault', { cause: error })
}
