import { type Clock, systemClock } from '@countersign/tokens'
import { z } from 'zod'
import { KeysError } from '../keys-error.ts'
import { createBreaker } from './breaker.ts'
import { createServerClock } from './server-clock.ts'
import { createTokenKeeper } from './token-keeper.ts'
import { checkNamespace, parseVaultAddress } from './vault-address.ts'
import type { VaultAuth } from './vault-auth.ts'
import type { VaultEvent } from './vault-events.ts'
import { createExchange, type VaultAnswer, type VaultRequest } from './vault-exchange.ts'
import { createSender, unavailable } from './vault-sender.ts'
import { within } from './wait.ts'

export interface VaultClientOptions {
  /** `https://vault.example.com:8200`; `http:` on loopback only. */
  readonly address: string
  readonly auth: VaultAuth
  /** `X-Vault-Namespace` of every request. @default none */
  readonly namespace?: string
  /** For one try, 100 to 10,000. @default 3000 */
  readonly timeoutMs?: number
  readonly onEvent?: (event: VaultEvent) => void
  /** For a private certificate authority, say. @default the runtime's */
  readonly fetch?: typeof globalThis.fetch
  /** @default systemClock */
  readonly clock?: Clock
  /** Spreads retries and renewals; in [0, 1). @default Math.random */
  readonly random?: () => number
}

export interface VaultRequestOptions {
  /** Whether it may be repeated when its outcome is not known. @default true, but for POST */
  readonly repeat?: boolean
  /** For everything: login, tries and pauses. @default 10000 */
  readonly withinMs?: number
  /** Waits, within `withinMs`, for a Vault that is out of reach. @default false */
  readonly patient?: boolean
  /** Of the answer. @default 262144 */
  readonly maxBytes?: number
}

/** One Vault, as one role. For any number of stores, signers and rings. */
export interface VaultClient {
  /**
   * @returns any answer below 500 but 403, 412 and 429, which are dealt with
   * @throws KeysError `vault_unavailable` with `retryAfterSeconds`, `vault_denied`, `vault_answer_invalid`,
   * `vault_misconfigured` when the credentials cannot be read
   */
  request(request: VaultRequest, options?: VaultRequestOptions): Promise<VaultAnswer>
  /** Vault's clock, Unix seconds. @throws as `request` does */
  serverTime(): Promise<number>
  readonly clock: Clock
  readonly emit: (event: VaultEvent) => void
  /** Stops renewing, and revokes a token that came of a login. Close rings first. */
  close(): Promise<void>
}

const healthPath = 'sys/health?standbyok=true&perfstandbyok=true'
const probeTimeoutMs = 700
/** A clock that was read longer ago is read again. */
const serverTimeMaxAgeMs = 5000
const healthSchema = z.object({ server_time_utc: z.number() })

/**
 * A client for Vault's HTTP API, on `fetch`. Nothing is asked before the first request. It keeps a token alive, retries
 * what may be retried (100 ms doubled, full jitter, 5 tries, 10 s), stops asking a Vault that is away and probes it every
 * second.
 *
 * @throws KeysError `vault_misconfigured`
 */
export function createVaultClient(options: VaultClientOptions): VaultClient {
  const { auth, clock = systemClock, random = Math.random, timeoutMs = 3000 } = options
  const base = parseVaultAddress(options.address)
  const namespace = options.namespace === undefined ? undefined : checkNamespace(options.namespace)
  if (!(timeoutMs >= 100 && timeoutMs <= 10_000)) {
    throw new KeysError('vault_misconfigured', `timeoutMs must be from 100 to 10000, not ${timeoutMs}`)
  }
  const emit = (event: VaultEvent): void => {
    try {
      options.onEvent?.(event)
    } catch {
      // A listener's fault must not stop a renewal.
    }
  }
  const serverClock = createServerClock(clock)
  const fetch = options.fetch ?? globalThis.fetch
  const exchange = createExchange({ base, clock, fetch, onDate: serverClock.observe })
  // It knows no namespaces, and tells without a token.
  const health = (): Promise<VaultAnswer> =>
    exchange({ method: 'GET', path: healthPath }, {}, { timeoutMs: probeTimeoutMs, maxBytes: 65_536 })
  const breaker = createBreaker({
    clock,
    emit,
    // A secondary for disaster recovery (472), one without its primary (474): there, but of no use.
    probe: () =>
      health().then(
        ({ status }) => status < 500 && status !== 472 && status !== 474,
        () => false,
      ),
  })
  const send = createSender({ exchange, breaker, clock, random, timeoutMs })
  const keeper = createTokenKeeper({ auth, send, namespace, clock, random, emit })
  let closed = false

  async function attempts(request: VaultRequest, options: VaultRequestOptions): Promise<VaultAnswer> {
    const { repeat = request.method !== 'POST', withinMs = 10_000, patient = false, maxBytes = 262_144 } = options
    const endMs = clock.monotonicMs() + withinMs
    const leftMs = (): number => Math.max(1, endMs - clock.monotonicMs())
    const late = (): KeysError => unavailable(`there was no token within ${withinMs} ms`)
    if (patient && !(await breaker.closed(leftMs()))) throw unavailable(`it did not answer for ${withinMs} ms`)
    let token: string | undefined = await within(clock, leftMs(), keeper.get(), late)
    for (let tries = 1; token !== undefined && tries <= 2; tries += 1) {
      const answer = await send(request, { token, namespace }, { repeat, withinMs: leftMs(), patient, maxBytes })
      if (answer.status !== 403) return answer
      token = tries === 1 ? await within(clock, leftMs(), keeper.refused(token), late) : undefined
    }
    throw new KeysError('vault_denied', `Vault denies ${request.method} ${request.path}`)
  }

  return {
    clock,
    emit,
    async request(request, options = {}) {
      if (closed) throw new KeysError('closed', 'the Vault client was closed')
      return await attempts(request, options)
    },
    async serverTime() {
      const known = serverClock.now(serverTimeMaxAgeMs)
      if (known !== undefined) return known
      const answer = await health().catch(() => undefined)
      const parsed = healthSchema.safeParse(answer?.body)
      const time = serverClock.now(serverTimeMaxAgeMs) ?? parsed.data?.server_time_utc
      if (time === undefined) throw unavailable('it does not tell the time')
      return time
    },
    async close() {
      if (closed) return
      closed = true
      await keeper.close()
      breaker.stop()
    },
  }
}

/** @throws KeysError `vault_refused`, with Vault's words */
export function refusal(answer: VaultAnswer, what: string): KeysError {
  const words = answer.said === '' ? '' : `: ${answer.said}`
  return new KeysError('vault_refused', `Vault refused ${what} (${answer.status})${words}`)
}
