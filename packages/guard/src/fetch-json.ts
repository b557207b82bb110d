/** Limits of one request, as for a JWKS: 3 s and 64 KiB for the whole answer unless they say otherwise. */
export interface FetchLimits {
  readonly timeoutMs?: number
  readonly maxBytes?: number
  readonly fetch?: typeof fetch
}

/** The answer was not one, as opposed to an answer that says no. */
export class FetchFailed extends Error {
  override readonly name = 'FetchFailed'
}

/**
 * Reads a small JSON document, without following redirects.
 * @returns `undefined` when the server says that there is none for us (4xx, unless it asks to come again)
 * @throws FetchFailed for anything else than 200 with JSON
 */
export async function fetchJson(url: string, limits: FetchLimits = {}): Promise<unknown> {
  const { timeoutMs = 3000, maxBytes = 65_536, fetch: request = fetch } = limits
  try {
    const response = await request(url, {
      headers: { accept: 'application/json' },
      // Not 'error', which edge workers do not know: a redirect then is an answer that is not 200.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    })
    if (response.status !== 200) {
      await response.body?.cancel()
      if (meansAbsent(response.status)) return undefined
      throw new FetchFailed(`answered ${response.status}`)
    }
    return JSON.parse(await readText(response, maxBytes))
  } catch (cause) {
    if (cause instanceof FetchFailed) throw cause
    throw new FetchFailed('gave no answer that could be read', { cause })
  }
}

function meansAbsent(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 425 && status !== 429
}

async function readText(response: Response, maxBytes: number): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const reader = response.body?.getReader()
  let text = ''
  let bytes = 0
  for (;;) {
    const part = await reader?.read()
    if (part === undefined || part.done) return text + decoder.decode()
    bytes += part.value.byteLength
    if (bytes > maxBytes) {
      await reader?.cancel()
      throw new FetchFailed(`answered with more than ${maxBytes} bytes`)
    }
    text += decoder.decode(part.value, { stream: true })
  }
}
