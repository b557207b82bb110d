import type { Clock } from '@countersign/tokens'
import { KeysError } from '../keys-error.ts'
import type { Breaker } from './breaker.ts'
import { type Exchange, type ExchangeHeaders, NoAnswer, type VaultAnswer, type VaultRequest } from './vault-exchange.ts'
import { wait } from './wait.ts'

export interface SendLimits {
  /** False for what must not happen twice (`rotate`, a compare-and-set): repeated only if Vault says that it did nothing. */
  readonly repeat: boolean
  /** For all tries and the pauses between them. */
  readonly withinMs: number
  /** Waits for a Vault that is out of reach, within `withinMs`, rather than fail at once. */
  readonly patient: boolean
  readonly maxBytes: number
}

/**
 * Asks Vault until there is an answer that counts: with a status below 500 that is neither 412 (a replica that lags) nor
 * 429 (a quota).
 *
 * @throws KeysError `vault_unavailable`, `vault_answer_invalid`
 */
export type Send = (request: VaultRequest, headers: ExchangeHeaders, limits: SendLimits) => Promise<VaultAnswer>

const mostTries = 5
const firstPauseMs = 100

export interface SenderOptions {
  readonly exchange: Exchange
  readonly breaker: Breaker
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  /** For one try. */
  readonly timeoutMs: number
}

export function unavailable(reason: string, retryAfterSeconds: number = 1): KeysError {
  return new KeysError('vault_unavailable', `Vault is not at work: ${reason}`, { retryAfterSeconds })
}

interface Failure {
  readonly reason: string
  /** Vault has certainly not done it. */
  readonly undone: boolean
  readonly retryAfterSeconds: number | undefined
}

export function createSender({ exchange, breaker, clock, random, timeoutMs }: SenderOptions): Send {
  async function attempt(
    request: VaultRequest,
    headers: ExchangeHeaders,
    limits: { readonly timeoutMs: number; readonly maxBytes: number },
  ): Promise<VaultAnswer | Failure> {
    let answer: VaultAnswer
    try {
      answer = await exchange(request, headers, limits)
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      breaker.failed(error.message)
      return { reason: error.message, undone: false, retryAfterSeconds: undefined }
    }
    const { status, said, retryAfterSeconds } = answer
    const reason = said === '' ? `it answered ${status}` : `it answered ${status}, ${said}`
    if (status >= 500) {
      breaker.failed(reason)
      return { reason, undone: false, retryAfterSeconds }
    }
    if (status === 412 || status === 429) return { reason, undone: true, retryAfterSeconds }
    breaker.succeeded()
    return answer
  }

  return async (request, headers, { repeat, withinMs, patient, maxBytes }) => {
    const endMs = clock.monotonicMs() + withinMs
    const leftMs = (): number => endMs - clock.monotonicMs()
    for (let tries = 1; ; tries += 1) {
      // Who had begun before it opened has its tries all the same: a short outage should not fail a command.
      const held = breaker.isOpen && (patient || tries === 1)
      if (held && !(patient && leftMs() > 0 && (await breaker.closed(leftMs())))) {
        throw unavailable('it did not answer lately; it is asked every second whether it does again')
      }
      const outcome = await attempt(request, headers, {
        timeoutMs: Math.max(1, Math.min(timeoutMs, leftMs())),
        maxBytes,
      })
      if ('status' in outcome) return outcome
      const { reason, undone, retryAfterSeconds } = outcome
      // Full jitter: many processes that failed together must not come back together.
      const pauseMs = Math.max(random() * firstPauseMs * 2 ** (tries - 1), (retryAfterSeconds ?? 0) * 1000)
      if (tries >= mostTries || !(repeat || undone) || pauseMs >= leftMs()) {
        throw unavailable(reason, Math.max(1, Math.ceil(retryAfterSeconds ?? 1)))
      }
      await wait(clock, pauseMs)
    }
  }
}
