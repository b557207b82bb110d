import type { JSONValue } from 'convex/values'
import type { RawData, WebSocket } from 'ws'
import * as z from 'zod'
import type { AnyCaller, FunctionResult, Functions } from './functions.ts'

/** Who calls, and until when; nobody's calls have no end. */
export interface Session {
  readonly caller: AnyCaller
  readonly expiresAt: number
}

export interface SyncServer {
  readonly functions: Functions
  /** Nobody. */
  readonly nobody: Session
  now(): number
  /** A session, or what is wrong with the token. */
  authenticate(token: string): Promise<Session | string>
  /** The database as it is now, as a number that grows. */
  time(): bigint
  /** Something may have been written: every connection looks again. */
  written(): Promise<void>
  /** One answer for each request of a session, however often a client that reconnects sends it. */
  once(key: string, run: () => Promise<Answered>): Promise<Answered>
}

export interface Answered {
  readonly result: FunctionResult
  readonly ts: bigint
}

const requestSchema = { requestId: z.number(), udfPath: z.string(), args: z.array(z.unknown()) }
const messageSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('Connect'), sessionId: z.string(), clientTs: z.number().optional() }),
  z.object({
    type: z.literal('Authenticate'),
    tokenType: z.enum(['User', 'None', 'Admin']),
    value: z.string().optional(),
    baseVersion: z.number(),
  }),
  z.object({
    type: z.literal('ModifyQuerySet'),
    baseVersion: z.number(),
    newVersion: z.number(),
    modifications: z.array(
      z.discriminatedUnion('type', [
        z.object({ type: z.literal('Add'), queryId: z.number(), udfPath: z.string(), args: z.array(z.unknown()) }),
        z.object({ type: z.literal('Remove'), queryId: z.number() }),
      ]),
    ),
  }),
  z.object({ type: z.literal('Mutation'), ...requestSchema }),
  z.object({ type: z.literal('Action'), ...requestSchema }),
  z.object({ type: z.literal('Event') }),
])
type Message = z.infer<typeof messageSchema>
type Of<Type extends Message['type']> = Extract<Message, { type: Type }>

interface LiveQuery {
  readonly path: string
  readonly args: readonly unknown[]
  /** What the client was last sent. */
  sent: string | undefined
}

/** One client of the sync protocol: its identity, its queries, and what it was last told of each. */
export class SyncConnection {
  readonly #socket: WebSocket
  readonly #server: SyncServer
  readonly #queries = new Map<number, LiveQuery>()
  #session: Session
  #sessionId = ''
  #clockSkew = 0
  /** The session whose end the client knows of: told twice, it would renew twice. */
  #ended: Session | undefined
  #version = { querySet: 0, identity: 0, ts: 0n }
  #turn: Promise<unknown> = Promise.resolve()

  constructor(socket: WebSocket, server: SyncServer) {
    this.#socket = socket
    this.#server = server
    this.#session = server.nobody
    socket.on('message', (data) => this.#receive(data))
  }

  /** Runs the live queries again, and tells of those that changed. */
  refresh(): Promise<void> {
    return this.#inTurn(async () => {
      // A client that waits for its first token is connected, and has yet to begin.
      if (this.#sessionId === '') return
      // A token that ended is told at the next time that something runs, as a deployment does.
      if (this.#queries.size > 0 && !this.#isCurrent()) return
      await this.#transition({})
    })
  }

  #receive(data: RawData): void {
    const message = readMessage(String(data))
    if (message === undefined) this.#send({ type: 'FatalError', error: 'The stand-in does not know this message.' })
    // Actions take their time, and nothing waits for them.
    else if (message.type === 'Action') this.#act(message).catch(() => this.#socket.terminate())
    else this.#inTurn(() => this.#handle(message)).catch(() => this.#socket.terminate())
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(step, step)
    this.#turn = turn.catch(() => {})
    return turn
  }

  async #handle(message: Exclude<Message, { type: 'Action' }>): Promise<void> {
    switch (message.type) {
      case 'Connect':
        this.#sessionId = message.sessionId
        this.#clockSkew = message.clientTs === undefined ? 0 : message.clientTs - this.#server.now() * 1_000
        return
      case 'Authenticate':
        return this.#authenticate(message)
      case 'ModifyQuerySet':
        return this.#modify(message)
      case 'Mutation':
        return this.#mutate(message)
      case 'Event':
        return
    }
  }

  async #authenticate({ tokenType, value = '', baseVersion }: Of<'Authenticate'>): Promise<void> {
    if (tokenType === 'Admin') return this.#send({ type: 'FatalError', error: 'The stand-in has no administrators.' })
    const session = tokenType === 'None' ? this.#server.nobody : await this.#server.authenticate(value)
    if (typeof session === 'string') {
      return this.#send({ type: 'AuthError', error: session, baseVersion, authUpdateAttempted: true })
    }
    this.#session = session
    await this.#transition({ identity: baseVersion + 1 })
  }

  async #modify({ newVersion, modifications }: Of<'ModifyQuerySet'>): Promise<void> {
    const removed: number[] = []
    for (const one of modifications) {
      if (one.type === 'Add') this.#queries.set(one.queryId, { path: one.udfPath, args: one.args, sent: undefined })
      else if (this.#queries.delete(one.queryId)) removed.push(one.queryId)
    }
    if (this.#queries.size > 0 && !this.#isCurrent()) return
    await this.#transition({ querySet: newVersion, removed })
  }

  async #mutate({ requestId, udfPath, args }: Of<'Mutation'>): Promise<void> {
    if (!this.#isCurrent()) return
    const { caller } = this.#session
    const { result, ts } = await this.#server.once(`${this.#sessionId}:${requestId}`, async () => {
      const answered = await this.#server.functions.run(caller, 'mutation', udfPath, args)
      return { result: answered, ts: this.#server.time() }
    })
    this.#send({
      type: 'MutationResponse',
      requestId,
      ...responseOf(result),
      ...('value' in result ? { ts: encode(ts) } : {}),
    })
    // Not awaited: it takes this connection's turn too.
    this.#server.written().catch(() => this.#socket.terminate())
  }

  async #act({ requestId, udfPath, args }: Of<'Action'>): Promise<void> {
    // What was sent before it, its identity above all, comes first.
    await this.#turn
    if (!this.#isCurrent()) return
    const result = await this.#server.functions.run(this.#session.caller, 'action', udfPath, args)
    this.#send({ type: 'ActionResponse', requestId, ...responseOf(result) })
    await this.#server.written()
  }

  /** Tells the client, and says no, when its token has ended. */
  #isCurrent(): boolean {
    if (this.#server.now() < this.#session.expiresAt) return true
    if (this.#ended === this.#session) return false
    this.#ended = this.#session
    const baseVersion = this.#version.identity
    this.#send({
      type: 'AuthError',
      error: 'Could not validate token: TokenExpired',
      baseVersion,
      authUpdateAttempted: false,
    })
    return false
  }

  async #transition(to: { querySet?: number; identity?: number; removed?: readonly number[] }): Promise<void> {
    const ts = this.#server.time()
    const modifications: object[] = (to.removed ?? []).map((queryId) => ({ type: 'QueryRemoved', queryId }))
    for (const [queryId, query] of this.#queries) {
      const result = await this.#server.functions.run(this.#session.caller, 'query', query.path, query.args)
      const sent = JSON.stringify(result)
      if (sent === query.sent) continue
      query.sent = sent
      const common = { queryId, logLines: [], journal: null }
      modifications.push(
        'value' in result
          ? { type: 'QueryUpdated', ...common, value: result.value }
          : { type: 'QueryFailed', ...common, ...result },
      )
    }
    const { removed: _removed, ...versions } = to
    const start = this.#version
    const isNothing = modifications.length === 0 && ts === start.ts && Object.keys(versions).length === 0
    if (isNothing) return
    this.#version = { ...start, ...versions, ts }
    const wire = (version: typeof start): object => ({ ...version, ts: encode(version.ts) })
    this.#send({
      type: 'Transition',
      startVersion: wire(start),
      endVersion: wire(this.#version),
      modifications,
      clientClockSkew: this.#clockSkew,
    })
  }

  #send(message: object): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(message))
  }
}

function readMessage(text: string): Message | undefined {
  try {
    return messageSchema.safeParse(JSON.parse(text)).data
  } catch {
    // Not even JSON.
    return undefined
  }
}

function responseOf(result: FunctionResult): {
  success: boolean
  result: JSONValue
  logLines: []
  errorData?: JSONValue
} {
  if ('value' in result) return { success: true, result: result.value, logLines: [] }
  const { errorMessage, errorData } = result
  return { success: false, result: errorMessage, logLines: [], ...(errorData === undefined ? {} : { errorData }) }
}

/** 64 bits, little-endian, in base64. */
function encode(ts: bigint): string {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(ts)
  return bytes.toString('base64')
}
