import type { Guard } from '@countersign/guard'
import { isTokenSourceError, type TokenSource } from '@countersign/token-source'
import { ownerOf } from './create-billing.ts'
import { type PaymentClient, PaymentRefused } from './payment-client.ts'
import type { Job, JobQueue } from './queue.ts'
import type { Scope } from './scopes.ts'

export type JobEvent =
  | { readonly type: 'job.moved'; readonly job: string; readonly to: string; readonly reason?: string }
  | { readonly type: 'job.put_off'; readonly job: string; readonly reason: string; readonly seconds: number }
  | { readonly type: 'job.fault'; readonly job: string; readonly error: unknown }

export interface RunnerParts {
  readonly guard: Guard<Scope>
  readonly queue: JobQueue
  readonly payments: PaymentClient
  /** The worker's own token, for what it does as itself. */
  readonly source: Pick<TokenSource, 'getToken'>
  readonly clock: { now(): number }
  readonly onEvent?: (event: JobEvent) => void
}

/** Nobody can say whether the token is good; any other refusal says that it is not. */
const undecided: readonly string[] = ['keys_unavailable', 'revocations_stale']
const longestPauseSeconds = 60
/** How often the queue is looked at for what was put off. */
const lookEveryMs = 250

/** Runs one job that is due. @returns false when there is none */
export async function runNext(parts: RunnerParts): Promise<boolean> {
  const { queue, onEvent } = parts
  const job = queue.next()
  if (job === undefined) return false
  const putOff = (reason: string): void => {
    const seconds = Math.min(longestPauseSeconds, 0.5 * 2 ** Math.min(job.tries, 10))
    queue.putOff(job, seconds)
    onEvent?.({ type: 'job.put_off', job: job.id, reason, seconds })
  }
  try {
    const later = await (job.state === 'queued' ? charge(parts, job) : settle(parts, job))
    if (later !== undefined) putOff(later)
  } catch (error) {
    onEvent?.({ type: 'job.fault', job: job.id, error })
    putOff('fault')
  }
  return true
}

/** In the customer's name: only while the customer's token is good. @returns why it has to wait */
async function charge({ guard, queue, payments, clock, onEvent }: RunnerParts, job: Job): Promise<string | undefined> {
  const end = (to: 'charged' | 'failed' | 'needs_customer', rest: Partial<Job> = {}): void => {
    if (!queue.change(job, to, rest)) return
    onEvent?.({ type: 'job.moved', job: job.id, to, ...(rest.reason ? { reason: rest.reason } : {}) })
  }
  // Known even while nobody can say more of the token.
  if (clock.now() >= job.expires) return void end('needs_customer', { reason: 'expired' })
  const decision = await guard.admit({ token: job.token ?? undefined, scopes: ['jobs:run'], surface: 'queue' })
  if (!decision.admitted) {
    if (undecided.includes(decision.code)) return decision.code
    return void end('needs_customer', { reason: decision.code })
  }
  // At `exp` to the second: the tolerance for clocks that differ is for tokens that come, not for those that wait here.
  if (!guard.permits(decision.principal, ['jobs:run'])) return void end('needs_customer', { reason: 'expired' })
  if (ownerOf(decision.principal) !== job.owner) return void end('failed', { reason: 'another_owner' })
  try {
    // The job's id is the idempotency key: a worker that was killed right after this asks again and pays once.
    end('charged', { charge: await payments.charge(job) })
    return undefined
  } catch (error) {
    if (!(error instanceof PaymentRefused)) return 'provider_unavailable'
    return void end('failed', { reason: 'provider_refused' })
  }
}

/** As the service itself, whose account may be disabled like any other. @returns why it has to wait */
async function settle({ guard, queue, source, onEvent }: RunnerParts, job: Job): Promise<string | undefined> {
  let token: string
  try {
    token = await source.getToken()
  } catch (error) {
    if (isTokenSourceError(error)) return error.code
    throw error
  }
  const decision = await guard.admit({ token, scopes: ['jobs:run'], surface: 'queue' })
  if (!decision.admitted) {
    await source.getToken({ reason: 'rejected', token }).catch(() => undefined)
    return decision.code
  }
  if (queue.settle(job)) onEvent?.({ type: 'job.moved', job: job.id, to: 'settled' })
  return undefined
}

/** Runs jobs as they come, one after another, until it is closed; then the one under way ends first. */
export function startRunner(parts: RunnerParts): { wake(): void; close(): Promise<void> } {
  let closed = false
  let running: Promise<void> | undefined
  const work = async (): Promise<void> => {
    while (!closed && (await runNext(parts))) {
      // Until nothing is due.
    }
  }
  const wake = (): void => {
    if (closed) return
    running ??= work()
      .catch((error: unknown) => parts.onEvent?.({ type: 'job.fault', job: '', error }))
      .finally(() => {
        running = undefined
      })
  }
  const timer = setInterval(wake, lookEveryMs)
  wake()
  return {
    wake,
    async close() {
      closed = true
      clearInterval(timer)
      await running
    },
  }
}
