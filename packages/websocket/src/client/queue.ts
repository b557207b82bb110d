import type { Clock } from '@countersign/tokens'
import { WebSocketError, type WebSocketErrorCode } from '../errors.ts'

export interface QueueOptions {
  /** @default 100 */
  readonly maxMessages: number
  /** Of their JSON in UTF-8. @default 262144 */
  readonly maxBytes: number
  /** How long a message waits for a connection. @default 60000 */
  readonly ttlMs: number
}

interface Waiting {
  readonly text: string
  /** Of a message that an answer is waited for. */
  readonly id: string | undefined
  readonly bytes: number
  readonly untilMs: number
  readonly sent: () => void
  readonly failed: (error: WebSocketError) => void
}

/** Messages that were never sent, in order. What was handed to a connection is not here: it may have arrived. */
export class OfflineQueue {
  readonly #options: QueueOptions
  readonly #clock: Clock
  #waiting: Waiting[] = []
  #bytes = 0
  #cancelTimer: () => void = () => {}

  constructor(options: QueueOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
  }

  get size(): number {
    return this.#waiting.length
  }

  /** Resolves once the message was handed to a connection. */
  add(text: string, ttlMs: number = this.#options.ttlMs, id?: string): Promise<void> {
    const { maxMessages, maxBytes } = this.#options
    const bytes = new TextEncoder().encode(text).length
    if (bytes > maxBytes)
      return Promise.reject(new WebSocketError('too_large', `A message has at most ${maxBytes} bytes.`))
    if (this.#waiting.length >= maxMessages || this.#bytes + bytes > maxBytes) {
      return Promise.reject(new WebSocketError('queue_full', 'Too much waits for a connection already.'))
    }
    return new Promise((sent, failed) => {
      this.#waiting.push({ text, id, bytes, untilMs: this.#clock.monotonicMs() + ttlMs, sent, failed })
      this.#bytes += bytes
      this.#arm()
    })
  }

  /** Hands everything over, oldest first, for as long as `take` takes it. */
  flush(take: (text: string, id: string | undefined) => boolean): void {
    this.#dropLate()
    for (let first = this.#waiting[0]; first !== undefined && take(first.text, first.id); first = this.#waiting[0]) {
      this.#waiting.shift()
      this.#bytes -= first.bytes
      first.sent()
    }
    this.#arm()
  }

  clear(code: WebSocketErrorCode, message: string): void {
    for (const { failed } of this.#waiting.splice(0)) failed(new WebSocketError(code, message))
    this.#bytes = 0
    this.#cancelTimer()
  }

  #dropLate(): void {
    const nowMs = this.#clock.monotonicMs()
    const late = this.#waiting.filter(({ untilMs }) => untilMs <= nowMs)
    if (late.length === 0) return
    this.#waiting = this.#waiting.filter(({ untilMs }) => untilMs > nowMs)
    for (const { bytes, failed } of late) {
      this.#bytes -= bytes
      failed(new WebSocketError('queue_expired', 'No connection came in time.'))
    }
  }

  #arm(): void {
    this.#cancelTimer()
    if (this.#waiting.length === 0) return
    const soonestMs = this.#waiting.reduce(
      (soonest, { untilMs }) => Math.min(soonest, untilMs),
      Number.POSITIVE_INFINITY,
    )
    this.#cancelTimer = this.#clock.after(Math.max(1, soonestMs - this.#clock.monotonicMs()), () => {
      this.#dropLate()
      this.#arm()
    })
  }
}
