import type { Principal, RejectionCode } from '@countersign/tokens'
import { type Caller, identityOf, ownerOf, type Ticket } from '../core/caller.ts'
import type { Core } from '../core/core.ts'
import { type Operation, readOperation } from '../core/operation.ts'
import { traceIdOf } from '../core/trace-id.ts'
import { McpGuardError } from '../errors.ts'
import { rpcCodes } from '../http/answers.ts'
import type { StdioEnd, StdioToken } from '../options.ts'

/** What both SDKs' transports are, as far as a gate sees. */
export interface Wire {
  start(): Promise<void>
  send(message: never, options?: never): Promise<void>
  close(): Promise<void>
  onclose?: (() => void) | undefined
  onerror?: ((error: Error) => void) | undefined
  onmessage?: ((message: never, extra?: never) => void) | undefined
}

/** JSON-RPC codes of a refusal: HTTP's 401 and 403 in the range that servers may use for their own. */
export const stdioCodes = { tokenRefused: -32_041, notAllowed: -32_043 } as const

interface StdioRefusal {
  readonly code: RejectionCode
  readonly scopes: readonly string[]
  /** With it the connection is over. */
  readonly end?: 'expired' | 'revoked'
}

/**
 * A transport between the wire and the SDK: each request is decided on before the SDK sees it, with the token of that
 * moment. It stays one subject and one client's for as long as it is open.
 */
export class StdioGate implements Wire {
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: (message: never, extra?: never) => void
  readonly ended: Promise<StdioEnd>

  readonly #core: Core
  readonly #wire: Wire
  readonly #token: StdioToken
  readonly #closing = new AbortController()
  #resolveEnded: (end: StdioEnd) => void = () => {}
  #held: {
    readonly token: string
    readonly principal: Principal
    readonly caller: Caller
    readonly unwatch: () => void
  }
  #end: StdioEnd | undefined
  #queue: Promise<void> = Promise.resolve()

  /** @throws McpGuardError `token_refused` */
  static async open(core: Core, token: StdioToken | undefined, wire: Wire): Promise<StdioGate> {
    const first = typeof token === 'function' ? await token({}) : token
    if (token === undefined || first === undefined || first === '') {
      throw new McpGuardError('token_refused', 'There is no token.')
    }
    const decision = await core.door.admit({ token: first })
    if (!decision.admitted) throw new McpGuardError('token_refused', `The token is not accepted: ${decision.code}.`)
    return new StdioGate(core, token, wire, first, decision.principal)
  }

  private constructor(core: Core, source: StdioToken, wire: Wire, token: string, principal: Principal) {
    this.#core = core
    this.#token = source
    this.#wire = wire
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve
    })
    this.#held = this.#hold(token, principal, core.door.callerOf(principal, token))
    wire.onclose = () => this.#over('closed')
    wire.onerror = (error) => this.onerror?.(error)
    wire.onmessage = (message) => {
      this.#queue = this.#queue.then(() => this.#receive(message)).catch((cause: unknown) => this.#fault(cause))
    }
  }

  get principal(): Principal {
    return this.#held.principal
  }

  ticket(meta: unknown): Ticket {
    const { traceparent } = (meta ?? {}) as { readonly traceparent?: string }
    return { caller: this.#held.caller, signal: this.#closing.signal, traceId: traceIdOf(traceparent) }
  }

  start(): Promise<void> {
    return this.#wire.start()
  }

  async send(message: never, options?: never): Promise<void> {
    // What was under way when the token ended comes to nothing.
    if (this.#end === undefined) await this.#wire.send(message, options)
  }

  async close(): Promise<void> {
    this.#over('closed')
    await this.#wire.close()
  }

  async #receive(message: never): Promise<void> {
    if (this.#end !== undefined) return
    const operation = readOperation(message, this.#core.registry)
    if (!operation.isRequest) return this.onmessage?.(message)
    const verdict = await this.#knock(operation)
    if (this.#end !== undefined) return
    if (verdict !== undefined) {
      await this.#refuse(operation, verdict.code, verdict.scopes)
      if (verdict.end !== undefined) this.#finish(verdict.end)
      return
    }
    if (operation.undeclared === undefined) return this.onmessage?.(message)
    const [code, text] =
      operation.undeclared === 'method'
        ? [rpcCodes.methodNotFound, 'Method not found']
        : [rpcCodes.invalidParams, 'Not found']
    await this.#answer(operation, { code, message: text })
  }

  /** The refusal, if there is one. A token that ended is asked for anew, once. */
  async #knock(operation: Operation): Promise<StdioRefusal | undefined> {
    const { door } = this.#core
    const traceId = traceIdOf(operation.traceparent)
    let token = await this.#ask({})
    for (let tries = 1; ; tries += 1) {
      const knock = { credentials: { token }, operations: [operation], transport: 'stdio' as const, traceId }
      const verdict = await door.knock(knock)
      if (verdict.admitted) {
        const { principal } = verdict.caller
        if (principal === undefined || token === undefined) return { code: 'no_token', scopes: [] }
        // Another's token under an open connection would give one the other's answers.
        if (ownerOf(principal) !== ownerOf(this.#held.principal)) {
          this.#core.report?.({ type: 'refused', transport: 'stdio', reason: 'session_of_another' })
          return { code: 'bad_claims', scopes: [] }
        }
        if (token !== this.#held.token) this.#held = this.#hold(token, principal, verdict.caller)
        return undefined
      }
      const { denial, scopes } = verdict
      const { code } = denial
      if (code !== 'expired' && code !== 'revoked') return { code, scopes }
      if (tries > 1 || typeof this.#token === 'string') return { code, scopes, end: code }
      const refused: string | undefined = token
      token = await this.#ask({ reason: 'rejected', ...(refused === undefined ? {} : { token: refused }) })
    }
  }

  async #ask(options: { readonly reason?: string; readonly token?: string }): Promise<string | undefined> {
    return typeof this.#token === 'string' ? this.#token : this.#token(options)
  }

  #hold(token: string, principal: Principal, caller: Caller) {
    this.#held?.unwatch()
    const unwatch = this.#core.guard.watch(principal, ({ reason }) => {
      this.#renew(reason).catch((cause: unknown) => {
        this.#core.report?.({ type: 'fault', transport: 'stdio', cause })
        this.#finish(reason)
      })
    })
    return { token, principal, caller, unwatch }
  }

  /** The token ended while nothing was asked: whoever can give another keeps the connection. */
  async #renew(reason: 'expired' | 'revoked' | 'stale'): Promise<void> {
    const { token, principal } = this.#held
    if (typeof this.#token === 'function' && reason !== 'stale') {
      const other = await this.#token({ reason: 'rejected', token })
      // A call may have come meanwhile, with another one already.
      if (this.#held.token !== token) return
      if (other !== undefined && other !== token) {
        const decision = await this.#core.door.admit({ token: other })
        if (decision.admitted && ownerOf(decision.principal) === ownerOf(principal)) {
          this.#held = this.#hold(other, decision.principal, this.#core.door.callerOf(decision.principal, other))
          return
        }
      }
    }
    this.#finish(reason)
  }

  #finish(reason: 'expired' | 'revoked' | 'stale'): void {
    if (this.#end !== undefined) return
    const { report } = this.#core
    report?.({ type: 'ended', transport: 'stdio', reason, caller: identityOf(this.#held.principal) })
    this.#over(reason)
    this.#wire.close().catch((cause: unknown) => this.#fault(cause))
  }

  #over(end: StdioEnd): void {
    if (this.#end !== undefined) return
    this.#end = end
    this.#held.unwatch()
    this.#closing.abort()
    this.#resolveEnded(end)
    this.onclose?.()
  }

  async #refuse(operation: Operation, code: RejectionCode, scopes: readonly string[]): Promise<void> {
    const isScope = code === 'insufficient_scope'
    await this.#answer(operation, {
      code: isScope ? stdioCodes.notAllowed : stdioCodes.tokenRefused,
      message: isScope ? 'The access token lacks a scope' : 'The access token is not accepted',
      data: isScope ? { error: code, scope: scopes.join(' ') } : { error: 'invalid_token' },
    })
  }

  async #answer({ id }: Operation, error: object): Promise<void> {
    await this.#wire.send({ jsonrpc: '2.0', id, error } as never)
  }

  #fault(cause: unknown): void {
    this.#core.report?.({ type: 'fault', transport: 'stdio', cause })
    this.onerror?.(cause instanceof Error ? cause : new Error(String(cause)))
  }
}
