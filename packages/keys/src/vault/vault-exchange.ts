import type { Clock } from '@countersign/tokens'
import { KeysError } from '../keys-error.ts'

/** What came back from one request. */
export interface VaultAnswer {
  readonly status: number
  /** `undefined` without a body (204), or when it was not JSON and the status says enough. */
  readonly body: unknown
  /** Vault's own words, for a status of 400 and above; '' when there are none. Without secrets that were sent. */
  readonly said: string
  /** Of `Retry-After`, if it was there. */
  readonly retryAfterSeconds: number | undefined
}

/** No answer, or not a whole one: whether the request had its effect is not known. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

export interface VaultRequest {
  readonly method: 'GET' | 'POST' | 'LIST'
  /** After `/v1/`; may have a query. */
  readonly path: string
  readonly body?: Readonly<Record<string, unknown>>
}

export interface ExchangeOptions {
  readonly base: string
  readonly clock: Clock
  readonly fetch: typeof globalThis.fetch
  /** Learns the server's clock. */
  readonly onDate: (dateSeconds: number, sentMs: number) => void
}

export interface ExchangeHeaders {
  readonly token?: string | undefined
  readonly namespace?: string | undefined
}

export interface ExchangeLimits {
  readonly timeoutMs: number
  readonly maxBytes: number
}

/** One HTTP request to Vault and its answer. */
export type Exchange = (request: VaultRequest, headers: ExchangeHeaders, limits: ExchangeLimits) => Promise<VaultAnswer>

/** Vault's words are shown, cut after so many characters. */
const mostSaidCharacters = 300

/**
 * @throws from the exchange: {@link NoAnswer}; KeysError `vault_answer_invalid` for a redirect, a body that is too large
 * or not JSON. No error carries the token or what was sent.
 */
export function createExchange({ base, clock, fetch, onDate }: ExchangeOptions): Exchange {
  return async ({ method, path, body }, { token, namespace }, { timeoutMs, maxBytes }) => {
    const controller = new AbortController()
    const cancel = clock.after(timeoutMs, () => controller.abort())
    const sentMs = clock.monotonicMs()
    try {
      let response: Response
      try {
        // Some HTTP servers and proxies know no LIST; Vault takes a GET for it.
        response = await fetch(`${base}/v1/${path}${method === 'LIST' ? '?list=true' : ''}`, {
          method: method === 'LIST' ? 'GET' : method,
          // A redirect would carry the token elsewhere.
          redirect: 'manual',
          signal: controller.signal,
          headers: {
            Accept: 'application/json',
            'X-Vault-Request': 'true',
            ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
            ...(token === undefined ? {} : { 'X-Vault-Token': token }),
            ...(namespace === undefined ? {} : { 'X-Vault-Namespace': namespace }),
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        })
      } catch (error) {
        throw new NoAnswer(controller.signal.aborted ? `no answer in ${timeoutMs} ms` : reasonOf(error))
      }
      const { status } = response
      if (status >= 300 && status < 400) {
        await response.body?.cancel().catch(() => {})
        throw new KeysError('vault_answer_invalid', `Vault answered ${status}: redirects are not followed`)
      }
      const date = Date.parse(response.headers.get('date') ?? '') / 1000
      if (Number.isFinite(date)) onDate(date, sentMs)
      const text = await readText(response, maxBytes, controller)
      const parsed = parseJson(text, status)
      const said = status < 400 ? '' : wordsOf(parsed, [token, ...secretsOf(body)])
      const after = Number(response.headers.get('retry-after') ?? Number.NaN)
      return { status, body: parsed, said, retryAfterSeconds: after >= 0 && after <= 3600 ? after : undefined }
    } finally {
      cancel()
    }
  }
}

async function readText(response: Response, maxBytes: number, controller: AbortController): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of response.body ?? []) {
      length += chunk.length
      if (length > maxBytes) {
        throw new KeysError('vault_answer_invalid', `Vault answered with more than ${maxBytes} bytes`)
      }
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof KeysError) {
      controller.abort()
      throw error
    }
    throw new NoAnswer(`the answer broke off: ${reasonOf(error)}`)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parseJson(text: string, status: number): unknown {
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    // A load balancer's error page; its status is all that counts.
    if (status >= 400) return undefined
    throw new KeysError('vault_answer_invalid', `Vault answered ${status} with something that is not JSON`)
  }
}

/** A system error's code, never a message: that may hold an address with credentials. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return typeof code === 'string' ? code : 'the connection failed'
}

function secretsOf(body: unknown): unknown[] {
  return typeof body === 'object' && body !== null ? Object.values(body) : []
}

function wordsOf(body: unknown, secrets: readonly unknown[]): string {
  const { errors, warnings } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  const lines = [errors, warnings].flatMap((one) => (Array.isArray(one) ? one : []))
  let words = lines.filter((line) => typeof line === 'string').join('; ')
  for (const secret of secrets) {
    if (typeof secret === 'string' && secret.length >= 4) words = words.replaceAll(secret, '[redacted]')
  }
  return words.replaceAll(/\s+/g, ' ').trim().slice(0, mostSaidCharacters)
}
