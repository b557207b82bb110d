import type { Clock } from '@countersign/tokens'
import { retryAfterClose } from '../close-codes.ts'
import { WebSocketError } from '../errors.ts'
import { isReservedType, maxNameLength } from '../frames.ts'
import type { ReadFrame } from '../read-frame.ts'
import { wakefulClock } from '../system-clock.ts'
import { Backoff } from './backoff.ts'
import type {
  ClientEvent,
  ClientSocket,
  ClientState,
  ConnectOptions,
  RequestOptions,
  SendOptions,
  StateDetails,
} from './client-socket.ts'
import { askForToken, Link, type WebSocketConstructor } from './link.ts'
import { OfflineQueue } from './queue.ts'
import { Requests, refusalOf } from './requests.ts'
import { allowInsecureUrl, parseUrl } from './url.ts'
import { onWake } from './wake.ts'

/**
 * Connects by `wsauth.v1`, and stays connected.
 *
 * @throws WebSocketError `bad_option`
 *
 * @example
 * const socket = connect('wss://api.example.com/ws', {
 *   getToken: async ({ signal }) => (await fetch('/session/token', { signal })).text(),
 * })
 * socket.on('feed.item', (data) => render(data))
 */
export function connect(url: string, options: ConnectOptions): ClientSocket {
  return new Client(parseUrl(url, options[allowInsecureUrl] === true), options)
}

const standard = {
  backoff: { minMs: 500, maxMs: 20_000, stableMs: 30_000 },
  queue: { maxMessages: 100, maxBytes: 262_144, ttlMs: 60_000 },
}
/** However often a machine says that it woke, it connects once a second at most. */
const leastBetweenMs = 1000

class Client implements ClientSocket {
  readonly #url: string
  readonly #options: ConnectOptions
  readonly #WebSocket: WebSocketConstructor
  readonly #clock: Clock
  readonly #random: () => number
  readonly #backoff: Backoff
  readonly #stableMs: number
  readonly #queue: OfflineQueue
  readonly #requests: Requests
  readonly #listeners: Map<string, Set<(data: unknown) => void>> = new Map()
  readonly #stateListeners: Set<(state: ClientState, details: StateDetails) => void> = new Set()
  readonly #stopListening: () => void
  #state: ClientState = 'connecting'
  #details: StateDetails = {}
  #link: Link | undefined
  #abort: AbortController | undefined
  /** The token that was refused last, while no other has been accepted since. */
  #refused: string | undefined
  #asked = 0
  #attemptMs = Number.NEGATIVE_INFINITY
  /** What the server asked for: nobody's impatience is above it. */
  #notBeforeMs = Number.NEGATIVE_INFINITY
  #cancelTimer: () => void = () => {}
  #cancelStable: () => void = () => {}

  constructor(url: string, options: ConnectOptions) {
    if (typeof options.getToken !== 'function') throw new WebSocketError('bad_option', 'Give `getToken`, a function.')
    const chosen = options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket
    if (chosen === undefined) throw new WebSocketError('bad_option', 'This runtime has no WebSocket: give `WebSocket`.')
    this.#url = url
    this.#options = options
    this.#WebSocket = chosen
    this.#clock = options.clock ?? wakefulClock
    this.#random = options.random ?? Math.random
    const backoff = { ...standard.backoff, ...options.backoff }
    this.#backoff = new Backoff(backoff, this.#random)
    this.#stableMs = backoff.stableMs
    this.#queue = new OfflineQueue({ ...standard.queue, ...options.queue }, this.#clock)
    this.#requests = new Requests(this.#clock)
    this.#stopListening = onWake(() => this.#wake())
    this.#attempt()
  }

  get state(): ClientState {
    return this.#state
  }

  on(type: string, call: (data: unknown) => void): () => void {
    const calls = this.#listeners.get(type) ?? new Set()
    this.#listeners.set(type, calls)
    calls.add(call)
    return () => {
      calls.delete(call)
    }
  }

  onState(call: (state: ClientState, details: StateDetails) => void): () => void {
    this.#stateListeners.add(call)
    this.#guarded(() => call(this.#state, this.#details))
    return () => {
      this.#stateListeners.delete(call)
    }
  }

  async send(type: string, data?: unknown, { ttlMs }: SendOptions = {}): Promise<void> {
    await this.#submit(textOf(type, data), ttlMs)
  }

  async request(type: string, data?: unknown, options: RequestOptions = {}): Promise<unknown> {
    const { timeoutMs = 30_000, replay = 'never', ttlMs } = options
    this.#asked += 1
    const id = `r${this.#asked}`
    const text = textOf(type, data, id)
    const answer = this.#requests.add(id, text, replay === 'idempotent', timeoutMs)
    this.#submitRequest(id, text, ttlMs)
    return answer
  }

  #submitRequest(id: string, text: string, ttlMs?: number) {
    this.#submit(text, ttlMs, id).then(
      () => {},
      (error: unknown) => this.#requests.fail(id, error),
    )
  }

  #submit(text: string, ttlMs?: number, id?: string): Promise<void> {
    if (this.#state === 'stopped') return Promise.reject(new WebSocketError('stopped', 'The client has stopped.'))
    if (this.#queue.size === 0 && this.#link?.send(text) === true) {
      if (id !== undefined) this.#requests.sent(id)
      return Promise.resolve()
    }
    return this.#queue.add(text, ttlMs, id)
  }

  reconnect(): void {
    if (this.#state !== 'waiting') return
    const leftMs = this.#notBeforeMs - this.#clock.monotonicMs()
    this.#cancelTimer()
    if (leftMs <= 0) this.#attempt()
    else this.#cancelTimer = this.#clock.after(leftMs, () => this.#attempt())
  }

  logout(): void {
    this.#stop({ reason: 'logout' })
    this.#listeners.clear()
    this.#stateListeners.clear()
  }

  close(): void {
    this.#stop({ reason: 'closed' })
  }

  /** The only way to a connection: timer, network, visibility and callers all end here. */
  #attempt() {
    if (this.#state === 'stopped' || this.#abort !== undefined || this.#link !== undefined) return
    this.#cancelTimer()
    this.#attemptMs = this.#clock.monotonicMs()
    this.#enter('connecting', {})
    const abort = new AbortController()
    this.#abort = abort
    const { getToken, tokenMs = 30_000 } = this.#options
    const failed = (cause: unknown): void => {
      if (this.#abort !== abort) return
      this.#abort = undefined
      cancel()
      abort.abort()
      this.#report({ type: 'token_failed', cause })
      this.#wait(this.#backoff.nextMs())
    }
    const cancel = this.#clock.after(tokenMs, () => failed(new Error(`No token came within ${tokenMs} ms.`)))
    const { signal } = abort
    const refused = this.#refused
    askForToken(
      getToken,
      refused === undefined ? { reason: 'connect', signal } : { reason: 'rejected', signal, token: refused },
    ).then((token) => {
      if (this.#abort !== abort) return
      this.#abort = undefined
      cancel()
      if (token === undefined) this.#stop({ reason: 'signed_out' })
      else this.#open(token)
    }, failed)
  }

  #open(token: string) {
    try {
      this.#link = this.#newLink(token)
    } catch (cause) {
      // A browser refuses some addresses outright, such as ws: from a page of https:.
      this.#report({ type: 'fault', cause })
      this.#wait(this.#backoff.nextMs())
    }
  }

  #newLink(token: string): Link {
    const { getToken, connectMs = 10_000, authMs = 10_000 } = this.#options
    return new Link({
      url: this.#url,
      token,
      WebSocket: this.#WebSocket,
      clock: this.#clock,
      getToken,
      connectMs,
      authMs,
      onReady: () => this.#ready(),
      onMessage: (frame) => this.#receive(frame),
      onDown: (code, retryAfterMs) => this.#down(code, retryAfterMs),
      onSignedOut: () => this.#stop({ reason: 'signed_out' }),
      onTokenFailed: (cause) => this.#report({ type: 'token_failed', cause }),
    })
  }

  #ready() {
    this.#refused = undefined
    this.#cancelStable = this.#clock.after(this.#stableMs, () => this.#backoff.reset())
    this.#enter('ready', {})
    this.#queue.flush((text, id) => {
      if (this.#link?.send(text) !== true) return false
      if (id !== undefined) this.#requests.sent(id)
      return true
    })
  }

  #receive(frame: ReadFrame) {
    if (this.#requests.answer(frame)) return
    if (frame.type === 'error') {
      const { code, retry } = refusalOf(frame.members)
      return this.#report({ type: 'refused', code, retry })
    }
    for (const call of this.#listeners.get(frame.type) ?? []) this.#guarded(() => call(frame.members.data))
  }

  #down(code: number, retryAfterMs = 0) {
    const token = this.#link?.token
    this.#link = undefined
    this.#cancelStable()
    const retry = retryAfterClose(code)
    this.#report({ type: 'closed', code, retry })
    if (retry === 'never' || (retry === 'new_token' && this.#refused !== undefined))
      return this.#stop({ reason: 'refused', code })
    this.#requests.connectionLost((id, text) => this.#submitRequest(id, text))
    if (retry === 'new_token') this.#refused = token
    // A session that had run well is taken up again at once; one that falls again and again is not.
    const isQuick = retry === 'new_token' && this.#backoff.isFresh
    const backoffMs = this.#backoff.nextMs()
    const waitMs = isQuick ? this.#random() * standard.backoff.minMs : backoffMs
    this.#notBeforeMs = this.#clock.monotonicMs() + retryAfterMs
    this.#wait(Math.max(waitMs, retryAfterMs), code)
  }

  #wait(retryInMs: number, code?: number) {
    this.#enter('waiting', code === undefined ? { retryInMs } : { retryInMs, code })
    if (this.#state !== 'waiting') return
    this.#cancelTimer = this.#clock.after(retryInMs, () => this.#attempt())
  }

  #wake() {
    this.#link?.lookWhetherAlive()
    if (this.#clock.monotonicMs() - this.#attemptMs >= leastBetweenMs) this.reconnect()
  }

  #stop(details: StateDetails) {
    if (this.#state === 'stopped') return
    this.#cancelTimer()
    this.#cancelStable()
    this.#stopListening()
    this.#abort?.abort()
    this.#abort = undefined
    this.#link?.end()
    this.#link = undefined
    this.#refused = undefined
    this.#enter('stopped', details)
    this.#queue.clear('stopped', 'The client has stopped.')
    this.#requests.clear('stopped', 'The client has stopped.')
  }

  #enter(state: ClientState, details: StateDetails) {
    const isNew = state !== this.#state
    this.#state = state
    this.#details = details
    if (isNew) for (const call of [...this.#stateListeners]) this.#guarded(() => call(state, details))
  }

  #guarded(call: () => void) {
    try {
      call()
    } catch (cause) {
      this.#report({ type: 'fault', cause })
    }
  }

  #report(event: ClientEvent) {
    this.#options.onEvent?.(event)
  }
}

/** @throws WebSocketError `unknown_type`; TypeError for data that JSON cannot say */
function textOf(type: string, data: unknown, id?: string): string {
  if (typeof type !== 'string' || type === '' || type.length > maxNameLength || isReservedType(type)) {
    throw new WebSocketError('unknown_type', `${JSON.stringify(type)} cannot be the type of a message.`)
  }
  return JSON.stringify({ type, ...(id === undefined ? {} : { id }), ...(data === undefined ? {} : { data }) })
}
