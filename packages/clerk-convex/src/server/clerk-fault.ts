import { AuthError } from '../auth-error.ts'

/**
 * What went wrong in a call of `@clerk/backend`: `clerk_refused` when Clerk said no, `clerk_unavailable` when it did not
 * answer, was overloaded or broke down. Its message may quote what was sent, so it is not repeated; `reason` is its code.
 */
export function readClerkFault(cause: unknown): AuthError {
  const status = read(cause, 'status')
  const code = read(list(read(cause, 'errors'))[0], 'code')
  const details = {
    cause,
    ...(typeof status === 'number' ? { status } : {}),
    ...(typeof code === 'string' ? { reason: code } : {}),
  }
  // Without a status nothing came back at all.
  const isRefusal = typeof status === 'number' && status >= 400 && status < 500 && status !== 429 && status !== 408
  return isRefusal
    ? new AuthError('clerk_refused', `Clerk's Backend API answered ${status}.`, details)
    : new AuthError('clerk_unavailable', "Clerk's Backend API cannot be used now.", details)
}

function read(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}
