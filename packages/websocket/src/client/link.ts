import type { Clock } from '@countersign/tokens'
import { subprotocol } from '../frames.ts'
import type { GetToken, GetTokenRequest } from '../get-token.ts'
import { type ReadFrame, readFrame } from '../read-frame.ts'

/** What a client needs of a WebSocket: the browser's and Node's have it, and so has that of `ws`. */
export interface WebSocketLike {
  readonly readyState: number
  onmessage: ((event: never) => void) | null
  onclose: ((event: never) => void) | null
  onerror: ((event: never) => void) | null
  send(text: string): void
  close(code?: number, reason?: string): void
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike

/** Nesting of a server's frame; our own servers send what the application made. */
const maxDepth = 512
/** Milliseconds between two authentications that a server takes, and a little more. */
const reauthMs = 11_000

export interface LinkOptions {
  readonly url: string
  readonly token: string
  readonly WebSocket: WebSocketConstructor
  readonly clock: Clock
  readonly getToken: GetToken
  readonly connectMs: number
  readonly authMs: number
  readonly onReady: () => void
  readonly onMessage: (frame: ReadFrame) => void
  /** Once; 1006 where the connection was lost or given up. */
  readonly onDown: (code: number, retryAfterMs: number | undefined) => void
  readonly onSignedOut: () => void
  readonly onTokenFailed: (cause: unknown) => void
}

/** One connection, from its opening to its end. Whatever it started ends with it: nothing of it touches a later one. */
export class Link {
  readonly #options: LinkOptions
  readonly #ws: WebSocketLike
  readonly #abort = new AbortController()
  #stage: 'opening' | 'authenticating' | 'ready' | 'down' = 'opening'
  #cancelDeadline: () => void
  #cancelRefresh: () => void = () => {}
  #cancelSilence: () => void = () => {}
  #heardMs = 0
  #silenceMs = Number.POSITIVE_INFINITY
  #refreshId: string | undefined
  #isRefreshing = false
  #authentications = 0
  #retryAfterMs: number | undefined
  /** The one that was presented last. */
  #token: string

  constructor(options: LinkOptions) {
    this.#options = options
    this.#token = options.token
    const { WebSocket, url, clock, connectMs } = options
    this.#ws = new WebSocket(url, [subprotocol])
    this.#ws.onmessage = ({ data }: { readonly data: unknown }) => this.#receive(data)
    this.#ws.onclose = ({ code }: { readonly code: number }) => this.#down(code)
    this.#ws.onerror = () => {}
    this.#cancelDeadline = clock.after(connectMs, () => this.drop())
  }

  get token(): string {
    return this.#token
  }

  get isReady(): boolean {
    return this.#stage === 'ready'
  }

  /** False where the connection cannot take it any more. */
  send(text: string): boolean {
    if (this.#stage !== 'ready' || this.#ws.readyState !== 1) return false
    this.#ws.send(text)
    return true
  }

  /** Gives the connection up as lost. */
  drop(): void {
    this.#close(1000)
    this.#down(1006)
  }

  /** Ends it for good, without telling anybody. */
  end(): void {
    const isDown = this.#stage === 'down'
    this.#release()
    if (!isDown) this.#close(1000)
  }

  /** For when a machine wakes: timers may have stood still. */
  lookWhetherAlive(): void {
    if (this.#stage !== 'ready') return
    if (this.#options.clock.monotonicMs() - this.#heardMs >= this.#silenceMs) this.drop()
  }

  #close(code: number) {
    try {
      this.#ws.close(code)
    } catch {
      // One that never opened may refuse to close; it is forgotten either way.
    }
  }

  #down(code: number) {
    if (this.#stage === 'down') return
    this.#release()
    this.#options.onDown(code, this.#retryAfterMs)
  }

  #release() {
    this.#stage = 'down'
    this.#ws.onmessage = null
    this.#ws.onclose = null
    this.#abort.abort()
    this.#cancelDeadline()
    this.#cancelRefresh()
    this.#cancelSilence()
  }

  #receive(data: unknown) {
    if (this.#stage === 'down') return
    this.#heardMs = this.#options.clock.monotonicMs()
    const frame = typeof data === 'string' ? readFrame(data, maxDepth) : undefined
    if (frame === undefined) {
      this.#close(4400)
      return this.#down(1006)
    }
    switch (frame.type) {
      case 'auth.required':
        return this.#authenticate(frame)
      case 'auth.ok':
        return this.#accepted(frame)
      case 'auth.refresh':
        return this.#refresh('refresh')
      case 'ping':
        return this.send(JSON.stringify({ type: 'pong', n: frame.members.n }))
      case 'pong':
        return
      case 'error':
        return this.#refused(frame)
      default:
        if (this.#stage === 'ready' && !frame.type.startsWith('auth.')) this.#options.onMessage(frame)
    }
  }

  #authenticate({ members: { methods } }: ReadFrame) {
    if (this.#stage !== 'opening') return
    if (!Array.isArray(methods) || !methods.includes('bearer')) return this.#down(4406)
    this.#stage = 'authenticating'
    this.#cancelDeadline()
    this.#cancelDeadline = this.#options.clock.after(this.#options.authMs, () => this.drop())
    this.#ws.send(JSON.stringify({ type: 'auth', token: this.#token }))
  }

  #accepted({ id, members: { refreshAtMs, pingMs, pongMs } }: ReadFrame) {
    const isFirst = this.#stage === 'authenticating'
    if (!isFirst && (this.#stage !== 'ready' || id !== this.#refreshId)) return
    this.#isRefreshing = false
    this.#refreshId = undefined
    this.#cancelDeadline()
    if (isMs(refreshAtMs)) this.#refreshIn(refreshAtMs, 'refresh')
    if (!isFirst) return
    this.#stage = 'ready'
    if (isMs(pingMs) && isMs(pongMs)) this.#silenceMs = pingMs + pongMs
    this.#listenForSilence()
    this.#options.onReady()
  }

  /** What says no to an authentication or to everybody is read here; the rest is the application's. */
  #refused(frame: ReadFrame) {
    const { retry, retryAfterMs } = frame.members
    const later = isMs(retryAfterMs) ? retryAfterMs : undefined
    if (frame.id === undefined) {
      this.#retryAfterMs = later
    } else if (frame.id === this.#refreshId) {
      this.#isRefreshing = false
      this.#refreshId = undefined
      if (retry !== 'never')
        this.#refreshIn(Math.max(reauthMs, later ?? 0), retry === 'new_token' ? 'rejected' : 'refresh')
      return
    }
    if (this.#stage === 'ready') this.#options.onMessage(frame)
  }

  #refreshIn(ms: number, reason: 'refresh' | 'rejected') {
    this.#cancelRefresh()
    this.#cancelRefresh = this.#options.clock.after(ms, () => this.#refresh(reason))
  }

  /** One at a time, whoever asks for it: the server, our own timer, or a refusal. */
  #refresh(reason: 'refresh' | 'rejected') {
    if (this.#stage !== 'ready' || this.#isRefreshing) return
    this.#isRefreshing = true
    this.#cancelRefresh()
    const { getToken, onSignedOut, onTokenFailed } = this.#options
    const { signal } = this.#abort
    const request = reason === 'rejected' ? { reason, signal, token: this.#token } : { reason, signal }
    askForToken(getToken, request).then(
      (token) => {
        if (this.#stage !== 'ready') return
        if (token === undefined) return onSignedOut()
        this.#authentications += 1
        this.#refreshId = `auth-${this.#authentications}`
        this.#token = token
        this.send(JSON.stringify({ type: 'auth', id: this.#refreshId, token }))
      },
      (cause: unknown) => {
        if (this.#stage !== 'ready') return
        this.#isRefreshing = false
        onTokenFailed(cause)
        this.#refreshIn(reauthMs, reason)
      },
    )
  }

  #listenForSilence() {
    if (!Number.isFinite(this.#silenceMs)) return
    const { clock } = this.#options
    const leftMs = this.#heardMs + this.#silenceMs - clock.monotonicMs()
    if (leftMs <= 0) return this.drop()
    this.#cancelSilence = clock.after(leftMs, () => this.#listenForSilence())
  }
}

/** @returns nothing for "nobody is signed in"; rejects also for a `getToken` that throws or answers with something else */
export async function askForToken(getToken: GetToken, request: GetTokenRequest): Promise<string | undefined> {
  const token: unknown = await getToken(request)
  if (token === undefined || (typeof token === 'string' && token !== '')) return token
  throw new TypeError('`getToken` resolved to something that is no token.')
}

function isMs(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0
}
