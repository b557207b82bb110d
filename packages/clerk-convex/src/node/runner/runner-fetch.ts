import { type Clock, systemClock } from '@countersign/tokens'
import { createDpopProof, type DpopKey } from '@countersign/tokens/dpop'
import { checkUrl, type Fetch } from './endpoint.ts'
import { type KeyStore, loadKey } from './key-store.ts'
import { RunnerError } from './runner-error.ts'
import { type RunnerEvent, runnerToken } from './runner-token.ts'
import { mayRepeat, tryAgain } from './try-again.ts'

export interface RunnerFetchOptions {
  /** Where the runner endpoints answer: the server's `url`. */
  readonly url: string
  /** The one origin that tokens go to. @default that of `url` */
  readonly api?: string
  readonly keys: KeyStore
  /** @default what the runner was approved for, as far as its person's role has it */
  readonly scopes?: readonly string[]
  /**
   * The Clerk session, new at each call, of the one person who is there: a token outlives its session, so somebody else
   * gets a `runnerFetch` of their own.
   *
   * @default none: the runner works unattended
   */
  readonly getSession?: () => Promise<string>
  /**
   * Seconds that a call is tried again for while the endpoint or the API is out of reach, 0 to 86,400: one that got no
   * answer only if it may be made twice, by its method (RFC 9110 section 9.2.2) or an `Idempotency-Key`.
   *
   * @default 0: what is out of reach is an error at once
   */
  readonly retrySeconds?: number
  readonly onEvent?: (event: RunnerEvent) => void
  /** From 0 to 1, for the pauses. @default Math.random */
  readonly random?: () => number
  readonly clock?: Clock
  readonly fetch?: Fetch
}

/** Calls the API as `fetch` does, with a token and a new proof for each request. */
export type RunnerFetch = (url: string | URL, init?: RequestInit) => Promise<Response>

/**
 * A `fetch` for jobs of any length: it gets a token when it needs one, renews it at three quarters of its life, and while
 * the endpoint is out of reach goes on with the token it has until that ends; from then on calls fail. A request refused
 * with 401 is made once more with a new token, unless its body is a stream. Redirects are not followed.
 *
 * @throws RunnerError `runner_bad_option`; each call `foreign_origin`, `key_missing`, `token_refused`,
 * `issuer_unavailable`, `api_unavailable`; the reason of the call's own signal
 */
export function runnerFetch(options: RunnerFetchOptions): RunnerFetch {
  const { url, keys, scopes, getSession, onEvent = () => {}, clock = systemClock, random = Math.random } = options
  const { retrySeconds = 0 } = options
  if (!(retrySeconds >= 0 && retrySeconds <= 86_400)) {
    throw new RunnerError('runner_bad_option', '"retrySeconds" must be 0 to 86400.')
  }
  const fetch = options.fetch ?? globalThis.fetch
  const { origin } = checkUrl(options.api ?? checkUrl(url, 'url').href, 'api')
  let loading: Promise<DpopKey> | undefined
  const key = (): Promise<DpopKey> => {
    loading ??= loadKey(keys).catch((error: unknown) => {
      loading = undefined
      throw error
    })
    return loading
  }
  const tokens = runnerToken({ url, key, scopes, getSession, clock, fetch, onEvent })

  async function send(target: URL, init: RequestInit, token: string): Promise<Response> {
    const method = (init.method ?? 'GET').toUpperCase()
    const proof = await createDpopProof({ key: await key(), clock, method, url: target.href, accessToken: token })
    const headers = new Headers(init.headers)
    headers.set('authorization', `DPoP ${token}`)
    headers.set('dpop', proof)
    try {
      return await fetch(target.href, { ...init, method, headers, redirect: 'manual' })
    } catch (cause) {
      init.signal?.throwIfAborted()
      throw new RunnerError('api_unavailable', undefined, { cause })
    }
  }

  async function ask(target: URL, init: RequestInit): Promise<Response> {
    const token = await tokens.get()
    const response = await send(target, init, token)
    if (response.status !== 401 || init.body instanceof ReadableStream) return response
    await response.body?.cancel()
    tokens.drop(token)
    return await send(target, init, await tokens.get())
  }

  return async (to, init = {}) => {
    const target = new URL(to, origin)
    if (target.origin !== origin) throw new RunnerError('foreign_origin')
    const untilMs = clock.monotonicMs() + retrySeconds * 1_000
    const signal = init.signal ?? undefined
    return await tryAgain(() => ask(target, init), mayRepeat(init), { clock, untilMs, random, signal })
  }
}
