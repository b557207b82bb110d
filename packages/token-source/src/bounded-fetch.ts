/** Nobody answered, or not in time, or too much. */
export class Unanswered extends Error {
  override readonly name = 'Unanswered'
}

export interface FetchLimits {
  readonly timeoutMs: number
  readonly maxBytes: number
}

/** What a request is made of here. */
interface Init {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body?: BodyInit | undefined
}

type Fetch = (url: string, init: Init) => Promise<Response>

/** A `fetch` whose answer is there as a whole, within the limits; redirects are not followed. */
export function boundedFetch(request: typeof fetch, { timeoutMs, maxBytes }: FetchLimits): Fetch {
  return async (url, { method, headers: sent, body: form = null }) => {
    const { origin } = new URL(url)
    let response: Response
    let body: Uint8Array<ArrayBuffer> | undefined
    try {
      response = await request(url, {
        method,
        headers: sent,
        body: form,
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs),
      })
      body = await readBody(response, maxBytes)
    } catch (error) {
      const late = error instanceof Error && error.name === 'TimeoutError'
      throw new Unanswered(late ? `${origin} did not answer within ${timeoutMs} ms` : `${origin} could not be reached`)
    }
    if (body === undefined) throw new Unanswered(`${origin} answered with more than ${maxBytes} bytes`)
    const { status, headers } = response
    const bodyless = status < 200 || status === 204 || status === 304
    // What an edge worker calls an opaque redirect has the status 0.
    return new Response(bodyless ? null : body, { status: status < 200 ? 502 : status, headers })
  }
}

async function readBody(response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const parts: Uint8Array[] = []
  let bytes = 0
  const reader = response.body?.getReader()
  for (;;) {
    const part = await reader?.read()
    if (part === undefined || part.done) return join(parts, bytes)
    bytes += part.value.byteLength
    if (bytes > maxBytes) {
      await reader?.cancel()
      return undefined
    }
    parts.push(part.value)
  }
}

function join(parts: readonly Uint8Array[], bytes: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(bytes)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.byteLength
  }
  return whole
}
