import type { Clock } from '@countersign/tokens'
import { createDpopProof, type DpopKey } from '@countersign/tokens/dpop'
import * as z from 'zod'
import { RunnerError } from './runner-error.ts'

/** What of `fetch` is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** Longest wait for an answer of the endpoint, in milliseconds. */
const deadlineMs = 30_000

const longestAnswer = 65_536

const errorSchema = z.object({ error: z.string().max(64) })

export type Outcome =
  | { readonly ok: true; readonly body: unknown }
  /** An OAuth error; anything else that comes is an outage. */
  | { readonly ok: false; readonly error: string }

/** The URL of the endpoints, as the server's `url`. @throws RunnerError `runner_bad_option` */
export function checkUrl(url: string, name: string): URL {
  const parsed = URL.canParse(url) ? new URL(url) : undefined
  const isLoopback = ['127.0.0.1', '[::1]', 'localhost'].includes(parsed?.hostname ?? '')
  if (parsed?.protocol === 'https:' || (parsed?.protocol === 'http:' && isLoopback)) return parsed
  throw new RunnerError('runner_bad_option', `"${name}" is not an https URL, or http on loopback.`)
}

/**
 * Posts a form with a proof.
 *
 * @throws RunnerError `issuer_unavailable` when there is no answer, or none that an endpoint of runners gives
 */
export async function post(
  url: string,
  form: Readonly<Record<string, string>>,
  using: {
    readonly key: DpopKey
    readonly clock: Clock
    readonly fetch: Fetch
    readonly signal?: AbortSignal | undefined
  },
): Promise<Outcome> {
  const { key, clock, fetch, signal } = using
  const proof = await createDpopProof({ key, clock, method: 'POST', url })
  const deadline = AbortSignal.timeout(deadlineMs)
  let response: Response
  let body: unknown
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', dpop: proof, accept: 'application/json' },
      body: new URLSearchParams(form).toString(),
      redirect: 'error',
      signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    })
    const text = await response.text()
    body = text.length > longestAnswer ? undefined : JSON.parse(text)
  } catch (cause) {
    signal?.throwIfAborted()
    throw new RunnerError('issuer_unavailable', undefined, { cause })
  }
  if (response.status === 200) return { ok: true, body }
  const refused = errorSchema.safeParse(body)
  if (response.status === 400 && refused.success) return { ok: false, error: refused.data.error }
  throw new RunnerError('issuer_unavailable', `The runner endpoint answered ${response.status}.`)
}
