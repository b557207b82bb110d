import type { Decision, Guard } from '@countersign/guard'
import { identityOf, type Ticket } from '../core/caller.ts'
import type { Operation } from '../core/operation.ts'
import type { McpEvent, McpRefusal } from '../events.ts'
import type { Incoming } from './incoming.ts'

export type Denial = Extract<Decision, { admitted: false }>

/** An admitted request, as the SDK's part of the endpoint gets it. */
export interface Admitted extends Ticket {
  readonly request: Request
  /** `undefined` for GET and DELETE. */
  readonly body: unknown
  readonly operations: readonly Operation[]
  readonly header: (name: string) => string | undefined
  /** Aborts when the caller hangs up, when the token ends, and when the answer is through. */
  readonly signal: AbortSignal
  /** Aborts when the token ends, whether or not anybody still waits for the answer. */
  readonly tokenEnded: AbortSignal
  readonly whileRunning: (work: Promise<unknown>) => void
  /** Reports a refusal that only the SDK's part can see. */
  readonly refuse: (reason: McpRefusal) => void
}

/** The SDK's part. */
export interface Backend {
  readonly handle: (admitted: Admitted) => Promise<Response>
  readonly methods: readonly string[]
  readonly close: () => Promise<void>
}

/** An answer, and when it has to end before its time. */
export interface Answer {
  readonly response: Response
  /** Aborts when the caller hangs up, and when the token behind it ends. */
  readonly ended?: AbortSignal
  /** Has to be called once the answer is through, however it ended. */
  readonly release?: () => void
}

export interface ServingOptions {
  readonly guard: Guard
  readonly backend: Backend
  readonly report: ((event: McpEvent) => void) | undefined
  readonly refuse: (reason: McpRefusal) => void
  readonly denied: (denial: Denial, scopes: readonly string[]) => Response
}

type Serve = (
  incoming: Incoming,
  about: Pick<Admitted, 'caller' | 'traceId' | 'body' | 'operations'>,
) => Promise<Answer>

/** Runs admitted requests; a stream, and the call itself, end with the token behind them. */
export function createServing({ guard, backend, report, refuse, denied }: ServingOptions): Serve {
  return async (incoming, about) => {
    const ending = new AbortController()
    const tokenEnding = new AbortController()
    const { signal } = ending
    const { principal } = about.caller
    let code: Denial['code'] | undefined
    const unwatch =
      principal === undefined
        ? () => {}
        : guard.watch(principal, ({ reason }) => {
            code = reason === 'stale' ? 'revocations_stale' : reason
            report?.({ type: 'ended', transport: 'http', reason, caller: identityOf(principal) })
            tokenEnding.abort()
            ending.abort()
          })
    let holders = 1
    const letGo = (): void => {
      holders -= 1
      if (holders === 0) unwatch()
    }
    const whileRunning = (work: Promise<unknown>): void => {
      holders += 1
      work.then(letGo, letGo)
    }
    const hangUp = (): void => ending.abort()
    const release = (): void => {
      letGo()
      incoming.signal.removeEventListener('abort', hangUp)
    }
    if (incoming.signal.aborted) hangUp()
    else incoming.signal.addEventListener('abort', hangUp, { once: true })
    try {
      const { header } = incoming
      const request = incoming.toRequest(signal)
      const more = { signal, tokenEnded: tokenEnding.signal, whileRunning, header, refuse, request }
      const response = await backend.handle({ ...about, ...more })
      if (code === undefined && isStream(response)) {
        const over = (): void => {
          release()
          ending.abort()
        }
        return { response, ended: signal, release: over }
      }
      release()
      if (code === undefined) return { response }
      response.body?.cancel().catch(() => {})
      return { response: denied({ admitted: false, code }, []) }
    } catch (cause) {
      release()
      throw cause
    }
  }
}

/** Anything else is whole when it is handed over. */
export function isStream({ headers }: Response): boolean {
  return headers.get('content-type')?.startsWith('text/event-stream') === true
}
