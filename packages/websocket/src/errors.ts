/** What this package can be misused for, or could not do. New codes may come in a minor release. */
export const webSocketErrorCodes = [
  'bad_option',
  'unknown_type',
  'closed',
  'stopped',
  'queue_full',
  'queue_expired',
  'too_large',
  'connection_lost',
  'no_answer',
  'refused',
] as const

export type WebSocketErrorCode = (typeof webSocketErrorCodes)[number]

/** What to do about each code. */
export const webSocketRemedies: Readonly<Record<WebSocketErrorCode, string>> = {
  bad_option: 'Correct the option that the message names.',
  unknown_type: 'Declare the message type and its scopes in `messages`; names of the protocol are not free.',
  closed: 'Mount before `close()`; make a new `webSocketAuth` to begin again.',
  stopped: 'Call `connect` again after signing in; `onState` says why the client stopped.',
  queue_full: 'Send less while there is no connection, or raise `queue.maxMessages` and `queue.maxBytes`.',
  queue_expired: 'The connection was away for too long: send again what is still wanted, or raise `queue.ttlMs`.',
  too_large: 'Send smaller messages: the server takes 64 KiB by default.',
  connection_lost: 'It is not known whether the message arrived: ask for its effect before sending it again.',
  no_answer: 'Look why the server does not answer, or raise `timeoutMs`.',
  refused: 'Read `refusal`: the code that the server gave, and whether to try again.',
}

/** What a server said about one message. */
export interface Refusal {
  readonly code: string
  readonly retry: 'never' | 'new_token' | 'backoff'
  readonly retryAfterMs?: number
}

/** A fault of set-up or use, and on the client what became of a message. A peer's frames are never its cause on the server. */
export class WebSocketError extends Error {
  override readonly name = 'WebSocketError'
  readonly code: WebSocketErrorCode
  /** With `refused`. */
  readonly refusal: Refusal | undefined
  constructor(code: WebSocketErrorCode, message: string, options?: ErrorOptions & { readonly refusal?: Refusal }) {
    super(message, options)
    this.code = code
    this.refusal = options?.refusal
  }
  /** What to do next. */
  get remedy(): string {
    return webSocketRemedies[this.code]
  }
}

const codes: ReadonlySet<unknown> = new Set(webSocketErrorCodes)

/** True for a {@link WebSocketError} of any installed copy of this package. */
export function isWebSocketError(error: unknown): error is WebSocketError {
  return error instanceof Error && error.name === 'WebSocketError' && 'code' in error && codes.has(error.code)
}
