import type { Clock } from '@countersign/tokens'
import { WebSocketError, type WebSocketErrorCode } from '../errors.ts'
import type { ReadFrame } from '../read-frame.ts'

interface Request {
  readonly text: string
  readonly isIdempotent: boolean
  readonly answered: (data: unknown) => void
  readonly failed: (error: unknown) => void
  readonly cancelTimer: () => void
  isSent: boolean
}

/** Messages that an answer with their `id` is waited for. */
export class Requests {
  readonly #clock: Clock
  readonly #byId: Map<string, Request> = new Map()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  add(id: string, text: string, isIdempotent: boolean, timeoutMs: number): Promise<unknown> {
    return new Promise((answered, failed) => {
      const cancelTimer = this.#clock.after(timeoutMs, () =>
        this.fail(id, new WebSocketError('no_answer', `No answer came within ${timeoutMs} ms.`)),
      )
      this.#byId.set(id, { text, isIdempotent, answered, failed, cancelTimer, isSent: false })
    })
  }

  sent(id: string): void {
    const request = this.#byId.get(id)
    if (request !== undefined) request.isSent = true
  }

  has(id: string): boolean {
    return this.#byId.has(id)
  }

  fail(id: string, error: unknown): void {
    const request = this.#take(id)
    request?.failed(error)
  }

  /** @returns whether the frame was an answer to one of them */
  answer({ id, type, members }: ReadFrame): boolean {
    const request = id === undefined ? undefined : this.#take(id)
    if (request === undefined) return false
    if (type !== 'error') request.answered(members.data)
    else
      request.failed(
        new WebSocketError('refused', `The server refused: ${codeOf(members)}.`, { refusal: refusalOf(members) }),
      )
    return true
  }

  /** The connection is gone: what was sent may have had its effect, so only what may be repeated is. */
  connectionLost(again: (id: string, text: string) => void): void {
    for (const [id, request] of [...this.#byId]) {
      if (!request.isSent) continue
      request.isSent = false
      if (request.isIdempotent) again(id, request.text)
      else this.fail(id, new WebSocketError('connection_lost', 'The connection was lost before the answer.'))
    }
  }

  clear(code: WebSocketErrorCode, message: string): void {
    for (const id of [...this.#byId.keys()]) this.fail(id, new WebSocketError(code, message))
  }

  #take(id: string): Request | undefined {
    const request = this.#byId.get(id)
    this.#byId.delete(id)
    request?.cancelTimer()
    return request
  }
}

type Members = ReadFrame['members']

function codeOf({ code }: Members): string {
  return typeof code === 'string' ? code : 'unknown'
}

export function refusalOf(members: Members): NonNullable<WebSocketError['refusal']> {
  const { retry, retryAfterMs } = members
  return {
    code: codeOf(members),
    retry: retry === 'new_token' || retry === 'backoff' ? retry : 'never',
    ...(typeof retryAfterMs === 'number' ? { retryAfterMs } : {}),
  }
}
