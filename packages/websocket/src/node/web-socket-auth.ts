import type { IncomingMessage } from 'node:http'
import type { Socket as TcpSocket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Availability, Guard } from '@countersign/guard'
import type { Clock, Principal } from '@countersign/tokens'
import { type ServerOptions, WebSocketServer } from 'ws'
import type { Connection, MessageHandler } from '../core/connection.ts'
import { Core } from '../core/core.ts'
import type { UpgradeRefusal, WebSocketEvent } from '../core/events.ts'
import { chooseLimits, type Limits } from '../core/limits.ts'
import { checkType } from '../core/message-type.ts'
import type { Envelope } from '../core/options.ts'
import { WebSocketError } from '../errors.ts'
import { subprotocol } from '../frames.ts'
import { systemClock } from '../system-clock.ts'
import { addressGroup } from './address.ts'
import { mountUpgrades, type UpgradeServer } from './mounts.ts'
import { refuseUpgrade } from './refuse.ts'
import { Socket } from './socket.ts'
import { findFault, parseHosts, parseOrigins } from './upgrade-rules.ts'

/** Who may send messages of a type: whose token has all of the scopes, or anybody with an accepted token. */
export type MessageAccess<Scope extends string> = readonly [Scope, ...Scope[]] | 'token'

export interface WebSocketAuthOptions<Scope extends string, Type extends string> {
  /** Decides about tokens, and tells when a principal ends. Closing it is yours, after `close()` here. */
  readonly guard: Guard<Scope>
  /** Scopes by message type; every other type is refused. Without it, frames go to `onFrame` of a connection as they come. */
  readonly messages?: Readonly<Record<Type, MessageAccess<NoInfer<Scope>>>>
  /** Scopes without which a token gets no connection at all. @default none */
  readonly scopes?: readonly NoInfer<Scope>[]
  /** Exactly these origins of browsers. @default the host that the request is for */
  readonly origins?: readonly string[]
  /** Exactly these names in Host. @default any, but on loopback only loopback's own */
  readonly hosts?: readonly string[]
  /** Proxies in front that append to X-Forwarded-For; without any, that header is ignored. @default 0 */
  readonly proxyHops?: number
  /** Whether clients without a subprotocol may come, with the token in their first message. @default true */
  readonly plain?: boolean
  /** Whether a client is to authenticate again before its token ends: `false` for tokens that cannot be renewed. @default true */
  readonly refresh?: boolean | ((principal: Principal) => boolean)
  /** Other people's protocols by the name of their subprotocol; `''` for clients without one. */
  readonly envelopes?: Readonly<Record<string, Envelope>>
  readonly limits?: Partial<Limits>
  /** When revocation news are late. @default refuse sensitive scopes past 30 s, close past 60 s */
  readonly availability?: Availability
  readonly clock?: Clock
  /** From 0 to 1, for jitter. @default Math.random */
  readonly random?: () => number
  /** Called synchronously, so it does no more than count or enqueue. Must not throw. */
  readonly onEvent?: (event: WebSocketEvent) => void
}

export interface WebSocketAuth<Scope extends string = string, Type extends string = string> {
  /**
   * Takes upgrades of one path of a server; other paths are left to whoever else listens, or answered 404.
   * @returns takes no more there
   * @throws WebSocketError `bad_option` for a path that is taken; `closed` after `close()`
   */
  mount(server: UpgradeServer, path: string): () => void
  /**
   * The handler of one message type, called only with a principal that holds its scopes at that moment.
   * @throws WebSocketError `unknown_type` for a type that `messages` does not have, or that has a handler
   */
  on(type: Type, handler: MessageHandler<Scope>): void
  /** Called with each connection when it is authenticated, after `auth.ok`. */
  onConnection(call: (connection: Connection<Scope>) => void): void
  /** The connections that are open now. */
  connections(): IterableIterator<Connection<Scope>>
  /** Sockets in any state, and those of them that are not authenticated. */
  readonly counts: { readonly pending: number; readonly sockets: number }
  /**
   * Takes no new connection, lets messages in hand be answered for `graceMs` (default 5000), closes with 1001, and asks
   * clients to come back spread over `spreadMs` (default 10000). Resolves when every connection is gone.
   */
  close(options?: { readonly graceMs?: number; readonly spreadMs?: number }): Promise<void>
}

/**
 * The guard for WebSockets: protocol `wsauth.v1`, the plain form for clients without a subprotocol, and other people's
 * envelopes.
 *
 * @throws WebSocketError `bad_option`, `unknown_type`
 *
 * @example A chat
 * const sockets = webSocketAuth({ guard, messages: { 'chat.send': ['chat:write'] } })
 * sockets.mount(server, '/ws')
 * sockets.on('chat.send', async ({ principal, data, reply }) => {
 *   reply({ type: 'chat.done', data: await answer(principal, data) })
 * })
 */
export function webSocketAuth<Scope extends string, const Type extends string = never>(
  options: WebSocketAuthOptions<Scope, Type>,
): WebSocketAuth<Scope, Type> {
  const { refresh = true, proxyHops = 0 } = options
  if (!Number.isInteger(proxyHops) || proxyHops < 0 || proxyHops > 16) {
    throw new WebSocketError('bad_option', '`proxyHops` must be a whole number from 0 to 16.')
  }
  if (options.envelopes !== undefined && Object.hasOwn(options.envelopes, subprotocol)) {
    throw new WebSocketError('bad_option', `\`envelopes\` cannot have ${subprotocol}, which is spoken here.`)
  }
  const rules = { origins: parseOrigins(options.origins), hosts: parseHosts(options.hosts), proxyHops }
  const limits = chooseLimits(options.limits)
  const core = new Core<Scope>({
    guard: options.guard,
    messages: readMessages(options.guard, options.messages),
    scopes: options.scopes ?? [],
    availability: options.availability,
    refresh: typeof refresh === 'function' ? refresh : () => refresh,
    envelopes: new Map(Object.entries(options.envelopes ?? {})),
    plain: options.plain ?? true,
    limits,
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    onEvent: options.onEvent,
  })
  const upgrades = new WebSocketServer<typeof Socket>({
    ...libraryOptions(limits),
    // One that nobody speaks is taken too: a browser shows its page nothing of a refusal, but the close code 4406.
    // Ours is answered with the one string that there is of it: the library keeps what it is given with each socket.
    handleProtocols: (offered) => {
      const chosen = [...offered].find((name) => core.speaks(name)) ?? [...offered][0] ?? false
      return chosen === subprotocol ? subprotocol : chosen
    },
  })
  const unmounts: (() => void)[] = []
  let isClosing = false

  const refuse = (socket: Duplex, reason: UpgradeRefusal, status: number): void => {
    core.report({ type: 'upgrade_refused', reason, status })
    refuseUpgrade(socket, status, status === 429 || status === 503 ? { 'Retry-After': '5' } : {})
  }
  upgrades.on('wsClientError', (_error, socket) => {
    core.report({ type: 'upgrade_refused', reason: 'not_websocket', status: 400 })
    // RFC 6455 section 4.2.2: whoever comes with another version is told which one there is.
    refuseUpgrade(socket, 400, { 'Sec-WebSocket-Version': '13' })
  })

  const take = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (isClosing) return refuse(socket, 'closing', 503)
    const fault = findFault(request, rules)
    if (fault !== undefined) return refuse(socket, fault.reason, fault.status)
    const place = core.placeFor(() => addressGroup(request, proxyHops))
    if (place === undefined) return refuse(socket, 'pending_per_address', 429)
    // The answer to the upgrade and our first frame leave together.
    socket.cork()
    upgrades.handleUpgrade(request, socket, head, (accepted) => {
      accepted.listen(socket as TcpSocket, limits.preAuthBytes)
      accepted.begin(core.open(accepted, place))
    })
    socket.uncork()
  }

  return {
    mount(server, path) {
      if (isClosing) throw new WebSocketError('closed', 'These sockets are closed.')
      const unmount = mountUpgrades(server, path, take, () =>
        core.report({ type: 'upgrade_refused', reason: 'unknown_path', status: 404 }),
      )
      unmounts.push(unmount)
      return unmount
    },
    on(type, handler) {
      if (core.options.messages?.has(type) !== true) {
        throw new WebSocketError('unknown_type', `\`messages\` does not say who may send ${JSON.stringify(type)}.`)
      }
      if (core.handlers.has(type)) throw new WebSocketError('unknown_type', `${JSON.stringify(type)} has a handler.`)
      core.handlers.set(type, handler)
    },
    onConnection: (call) => void core.onConnection.push(call),
    connections: () => core.ready(),
    get counts() {
      return core.counts
    },
    async close({ graceMs = 5000, spreadMs = 10_000 } = {}) {
      isClosing = true
      await core.close(graceMs, spreadMs)
      for (const unmount of unmounts.splice(0)) unmount()
      upgrades.close()
    },
  }
}

/** Its own defaults are 100 MiB, 16,384 fragments, 262,144 chunks, 30 s until a closing socket ends, and pongs for anybody. */
function libraryOptions(limits: Limits): ServerOptions<typeof Socket> & { readonly closeTimeout: number } {
  return {
    WebSocket: Socket,
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    autoPong: false,
    maxPayload: limits.messageBytes,
    maxFragments: limits.fragments,
    maxBufferedChunks: 256,
    closeTimeout: 2 * limits.closeMs,
  }
}

function readMessages<Scope extends string>(
  guard: Guard<Scope>,
  messages: Readonly<Record<string, MessageAccess<Scope>>> | undefined,
): ReadonlyMap<string, readonly Scope[]> | undefined {
  if (messages === undefined) return undefined
  const byType = new Map<string, readonly Scope[]>()
  for (const [type, access] of Object.entries(messages)) {
    checkType(type)
    if (access !== 'token' && (!Array.isArray(access) || access.length === 0)) {
      throw new WebSocketError('bad_option', `Say who may send ${JSON.stringify(type)}: scopes, or "token".`)
    }
    const scopes: readonly Scope[] = access === 'token' ? [] : access
    for (const scope of scopes) {
      if (typeof scope === 'string' && (guard.scopes === undefined || guard.scopes.includes(scope))) continue
      throw new WebSocketError('bad_option', `The consumer has no scope ${JSON.stringify(scope)}.`)
    }
    byType.set(type, scopes)
  }
  return byType
}
