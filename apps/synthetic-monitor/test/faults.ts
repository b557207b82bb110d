import { type Clock, systemClock } from '@countersign/tokens'

/** What becomes of a request: an answer instead of the real one, none ever, or a connection that is cut. */
type Fault = 'hang' | 'cut' | ((request: Request) => Response | Promise<Response>)

interface Answered {
  readonly origin: string
  readonly path: string
  readonly authorization: string | null
  readonly status: number
}

/** A `fetch` over the real one, with faults at chosen addresses. */
export class Faults {
  readonly #faults: { readonly path: RegExp; readonly fault: Fault }[] = []
  /** How often each path was asked for. */
  readonly asked: Map<string, number> = new Map()
  /** What was answered, in order. */
  readonly answers: Answered[] = []
  /** Called with each path before it is asked for. */
  onAsk: (path: string) => unknown = () => undefined
  /** While true, streams say nothing. */
  silent = false

  at(path: RegExp, fault: Fault): void {
    this.#faults.unshift({ path, fault })
  }

  clear(): void {
    this.#faults.length = 0
    this.silent = false
  }

  readonly fetch: typeof fetch = async (input, init) => {
    const request = new Request(input, init)
    const { pathname, origin } = new URL(request.url)
    const authorization = request.headers.get('authorization')
    this.asked.set(pathname, (this.asked.get(pathname) ?? 0) + 1)
    this.onAsk(pathname)
    const fault = this.#faults.find(({ path }) => path.test(pathname))?.fault
    if (fault === 'cut')
      throw new TypeError('fetch failed', { cause: Object.assign(new Error(), { code: 'ECONNRESET' }) })
    if (fault === 'hang') return new Promise((_resolve, reject) => request.signal.addEventListener('abort', reject))
    if (fault !== undefined) return fault(request)
    const response = await fetch(request)
    this.answers.push({ origin, path: pathname, authorization, status: response.status })
    if (pathname !== '/revocations/stream') return response
    const quiet = new TransformStream<Uint8Array, Uint8Array>({
      transform: (chunk, stream) => {
        if (!this.silent) stream.enqueue(chunk)
      },
    })
    return new Response(response.body?.pipeThrough(quiet) ?? null, response)
  }
}

/** The machine's clock, but for waits of 40 to 60 s: those are over when they are told to be. */
export class HeldClock implements Clock {
  readonly #held: Set<() => void> = new Set()
  now = systemClock.now
  monotonicMs = systemClock.monotonicMs

  after(ms: number, call: () => void): () => void {
    if (ms <= 40_000 || ms > 60_000) return systemClock.after(ms, call)
    this.#held.add(call)
    return () => this.#held.delete(call)
  }

  get held(): number {
    return this.#held.size
  }

  /** The time of everything that waits is over. */
  fire(): void {
    for (const call of [...this.#held]) {
      this.#held.delete(call)
      call()
    }
  }
}

/** Limits that {@link HeldClock} holds. */
export const heldLimits = { timeoutMs: 45_000, revocationMs: 60_000 } as const
