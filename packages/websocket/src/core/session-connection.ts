import type { Principal } from '@countersign/tokens'
import { WebSocketError } from '../errors.ts'
import type { RefreshReason } from '../frames.ts'
import { authenticate } from './authenticate.ts'
import type { Connection } from './connection.ts'
import { checkType } from './message-type.ts'
import { askToReauthenticate, send, sendFrame } from './send.ts'
import type { Session } from './session.ts'
import { subscribe } from './subscriptions.ts'

/** What the application sees of a session, and no more: made when it first looks. */
export class SessionConnection<Scope extends string> implements Connection<Scope> {
  readonly #session: Session<Scope>

  constructor(session: Session<Scope>) {
    this.#session = session
  }

  get sid(): string {
    return this.#session.sid
  }

  get protocol(): string {
    return this.#session.transport.protocol
  }

  get principal(): Principal {
    const { principal } = this.#session
    if (principal === undefined) throw new WebSocketError('closed', 'The connection is not authenticated.')
    return principal
  }

  get isOpen(): boolean {
    return this.#session.state === 'ready'
  }

  send(type: string, data?: unknown): boolean {
    checkType(type)
    return send(this.#session, { type, data })
  }

  sendFrame(frame: string | Uint8Array): boolean {
    return sendFrame(this.#session, frame)
  }

  onFrame(call: (frame: string | Uint8Array) => void): void {
    this.#session.makeExtras().onFrame = call
  }

  onClose(call: (code: number) => void): void {
    const extras = this.#session.makeExtras()
    extras.onClose ??= []
    extras.onClose.push(call)
  }

  permits(...scopes: readonly Scope[]): boolean {
    return this.isOpen && this.#session.core.permits(this.principal, scopes)
  }

  whilePermitted(scopes: readonly Scope[], stop: () => void): () => void {
    return subscribe(this.#session, scopes, stop)
  }

  async reauthenticate(token: string): Promise<boolean> {
    const session = this.#session
    const { core, principal: before, reauthFromMs, verification } = session
    if (session.state !== 'ready' || verification !== undefined || core.schedule.nowMs() < reauthFromMs) return false
    if (typeof token !== 'string' || token === '' || token.length > core.limits.tokenLength) return false
    await authenticate(session, token, undefined)
    return this.isOpen && session.principal !== before
  }

  askToReauthenticate(reason: RefreshReason): void {
    askToReauthenticate(this.#session, reason)
  }

  close(code = 1000, reason = ''): void {
    if (code !== 1000 && !(Number.isInteger(code) && code >= 4000 && code <= 4999)) {
      throw new WebSocketError('bad_option', 'A close code is 1000, or one of 4000 to 4999.')
    }
    this.#session.shut(code, reason)
  }
}
