import type { Clock } from '@countersign/tokens'
import { isRevocationError, RevocationError } from '../errors.ts'
import type { FeedEvent } from '../feed-events.ts'
import type { Acknowledgement } from '../ports.ts'

const everyMs = 30_000
/** However much is revoked, the issuer hears of it once a second; after a quiet time a few may come at once. */
const leastMs = 1_000
const burst = 4

/** Gets an access token for the consumer's own client; `rejected` when the last one was refused. */
export type GetToken = (request: {
  readonly reason: 'initial' | 'rejected'
  readonly signal: AbortSignal
}) => Promise<string>

export interface AcknowledgerOptions {
  readonly url: URL
  readonly getToken: GetToken
  readonly fetch: typeof fetch
  readonly clock: Clock
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly report: (event: FeedEvent) => void
  /** Another text whenever something else is held. */
  readonly held: () => string
  /** Resolves to `undefined` while there is nothing to acknowledge. */
  readonly state: () => Promise<Acknowledgement | undefined>
}

export interface Acknowledger {
  /** Where something else is held than was told last, it is told: at once, or within a second. */
  look(): void
  idle(): Promise<void>
}

/** Tells the issuer what is held: now, with news, and every 30 s until the signal. */
export function startAcknowledging(options: AcknowledgerOptions): Acknowledger {
  const { clock, signal, report } = options
  let current: Promise<void> | undefined
  let cancel: () => void = () => {}
  let left = burst
  let countedAtMs = clock.monotonicMs()
  let told = ''
  /** An issuer that refused is asked again after 30 s, not with every piece of news. */
  let isRefused = false

  const allowance = (): number => Math.min(burst, left + (clock.monotonicMs() - countedAtMs) / leastMs)
  const turn = (): void => {
    if (signal.aborted) return
    left = Math.max(0, allowance() - 1)
    countedAtMs = clock.monotonicMs()
    current = acknowledge(options, (held) => {
      told = held
    })
      .then(
        (done) => {
          isRefused = false
          if (done === undefined || signal.aborted) return
          report({ type: 'feed_acknowledged', position: done.position, kids: done.kids.length })
        },
        (error: RevocationError) => {
          isRefused = true
          if (!signal.aborted) report({ type: 'feed_failed', via: 'acknowledgement', error })
        },
      )
      .then(() => {
        current = undefined
        // What came meanwhile.
        look()
      })
    cancel()
    cancel = clock.after(everyMs, turn)
  }
  const look = (): void => {
    if (current !== undefined || isRefused || signal.aborted || told === options.held()) return
    const waitMs = (1 - allowance()) * leastMs
    cancel()
    if (waitMs > 0) cancel = clock.after(waitMs, turn)
    else turn()
  }
  signal.addEventListener('abort', () => cancel(), { once: true })
  turn()
  return { look, idle: async () => current }
}

async function acknowledge(
  options: AcknowledgerOptions,
  tells: (held: string) => void,
): Promise<Acknowledgement | undefined> {
  const state = await options.state()
  tells(options.held())
  if (state === undefined || options.signal.aborted) return undefined
  const abort = new AbortController()
  const stop = (): void => abort.abort()
  options.signal.addEventListener('abort', stop, { once: true })
  const cancel = options.clock.after(options.timeoutMs, stop)
  try {
    let status = await post(options, state, 'initial', abort.signal)
    if (status === 401) status = await post(options, state, 'rejected', abort.signal)
    if (status >= 200 && status < 300) return state
    throw new RevocationError('acknowledgement_failed', `The acknowledgement was answered with status ${status}.`)
  } catch (cause) {
    if (isRevocationError(cause)) throw cause
    throw new RevocationError('acknowledgement_failed', 'The acknowledgement could not be sent.', { cause })
  } finally {
    cancel()
    options.signal.removeEventListener('abort', stop)
  }
}

async function post(
  { url, getToken, fetch: send }: AcknowledgerOptions,
  state: Acknowledgement,
  reason: 'initial' | 'rejected',
  signal: AbortSignal,
): Promise<number> {
  const token = await getToken({ reason, signal })
  const response = await send(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify(state),
    redirect: 'manual',
    credentials: 'omit',
    cache: 'no-store',
    signal,
  })
  await response.body?.cancel()
  return response.status
}
