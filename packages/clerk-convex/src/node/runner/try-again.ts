import type { Clock } from '@countersign/tokens'
import { pause } from './pause.ts'
import { isRunnerError } from './runner-error.ts'

const waitMs = { first: 1_000, most: 30_000 } as const

/** RFC 9110 section 9.2.2: done twice, they have done what once would. */
const repeatable: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

export interface TryAgainOptions {
  readonly clock: Clock
  /** Milliseconds of {@link Clock.monotonicMs} after which nothing is tried any more. */
  readonly untilMs: number
  readonly random: () => number
  readonly signal: AbortSignal | undefined
}

/** Whether a request may be made twice: by its method, or since it says how the server tells it is the same. */
export function mayRepeat({ body, headers, method = 'GET' }: RequestInit): boolean {
  if (body instanceof ReadableStream) return false
  return repeatable.has(method.toUpperCase()) || new Headers(headers).has('idempotency-key')
}

/** Seconds that an answer of an outage asks to wait for; undefined for any other answer. */
function outageOf({ status, headers }: Response): number | undefined {
  if (status !== 502 && status !== 503 && status !== 504) return undefined
  const seconds = Number(headers.get('retry-after'))
  return Number.isFinite(seconds) && seconds > 0 ? seconds : 0
}

/**
 * Asks until there is an answer that is none of an outage, ever more slowly and at no even pace, so that a fleet does not
 * come back as one. A call for which there was no token was never sent, and may always be tried again.
 */
export async function tryAgain(
  ask: () => Promise<Response>,
  isRepeatable: boolean,
  { clock, untilMs, random, signal }: TryAgainOptions,
): Promise<Response> {
  for (let nextMs: number = waitMs.first; ; nextMs = Math.min(nextMs * 2, waitMs.most)) {
    const outcome = await ask().catch((error: unknown) => {
      const isUnsent = isRunnerError(error) && error.code === 'issuer_unavailable'
      const isLost = isRunnerError(error) && error.code === 'api_unavailable'
      if (isUnsent || (isLost && isRepeatable)) return { error }
      throw error
    })
    const isAnswer = outcome instanceof Response
    const seconds = isAnswer ? outageOf(outcome) : 0
    if (isAnswer && (seconds === undefined || !isRepeatable)) return outcome
    const pauseMs = Math.max(nextMs * (0.5 + random() / 2), (seconds ?? 0) * 1_000)
    if (clock.monotonicMs() + pauseMs > untilMs) {
      if (isAnswer) return outcome
      throw outcome.error
    }
    if (isAnswer) await outcome.body?.cancel()
    await pause(clock, pauseMs / 1_000, signal)
  }
}
