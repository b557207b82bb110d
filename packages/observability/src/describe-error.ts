import { bounded } from './bounded-text.ts'
import type { Scrub } from './scrub.ts'

/** What a log line says of an error: strings of bounded length, without secrets. */
export interface DescribedError {
  /** The error's name: its class. */
  readonly class: string
  readonly code?: string
  /** At most 1,024 characters. */
  readonly message: string
  /** The first cause, its cause, …: at most 4 deep. */
  readonly cause?: DescribedError
  /** Of an AggregateError: the first 4. */
  readonly errors?: readonly DescribedError[]
  /** The frames only, at most 20. */
  readonly stack?: readonly string[]
}

const longestMessage = 1024
const deepestCause = 4
const mostFrames = 20

/** Errors come from anywhere: a getter of theirs may throw. */
function read(error: object, member: string): unknown {
  try {
    return Reflect.get(error, member)
  } catch {
    return undefined
  }
}

function nameOf(error: object): string {
  const name = read(error, 'name')
  return typeof name === 'string' && /^[\w$.-]{1,64}$/.test(name) ? name : 'Error'
}

function codeOf(error: object): string | undefined {
  const code = read(error, 'code')
  if (typeof code === 'number') return String(code)
  return typeof code === 'string' && /^[\w.:-]{1,64}$/.test(code) ? code : undefined
}

function framesOf(error: object): string[] | undefined {
  const stack = read(error, 'stack')
  if (typeof stack !== 'string') return undefined
  // The first lines repeat the message, unbounded; frames begin with "at".
  const frames = stack
    .slice(0, 16_384)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '))
  return frames.slice(0, mostFrames).map((line) => bounded(line, 256))
}

/**
 * Describes anything that was thrown. Own properties of an error other than the ones named here are left out: they are
 * where requests, tokens and configuration hide.
 */
export function describeError(thrown: unknown, scrub: Scrub, withStack: boolean, depth = 0): DescribedError {
  if (typeof thrown !== 'object' || thrown === null) {
    const message = typeof thrown === 'string' ? scrub(bounded(thrown, longestMessage)) : 'not an error'
    return { class: thrown === null ? 'null' : typeof thrown, message }
  }
  const message = read(thrown, 'message')
  const code = codeOf(thrown)
  const cause = read(thrown, 'cause')
  const errors = read(thrown, 'errors')
  const stack = withStack ? framesOf(thrown) : undefined
  const deeper = depth < deepestCause
  return {
    class: nameOf(thrown),
    ...(code === undefined ? {} : { code }),
    // Scrubbed before it is cut, so that no half of a secret stays; cut before that too, so that the work is bounded.
    message:
      typeof message === 'string'
        ? bounded(scrub(bounded(message, longestMessage * 8)), longestMessage)
        : 'not an error',
    ...(deeper && cause !== undefined && cause !== null
      ? { cause: describeError(cause, scrub, withStack, depth + 1) }
      : {}),
    ...(deeper && Array.isArray(errors)
      ? { errors: errors.slice(0, 4).map((inner) => describeError(inner, scrub, withStack, deepestCause)) }
      : {}),
    ...(stack === undefined ? {} : { stack }),
  }
}
