import { WebSocketError } from '../errors.ts'

/** Every number that a server holds to. Each can be set; bounds are checked when the server is made. */
export interface Limits {
  /** Milliseconds from the upgrade to being authenticated, verification included. @default 5000 */
  readonly authMs: number
  /** Milliseconds of them that verification may take. @default 2000 */
  readonly verifyMs: number
  /** Bytes on the wire before a connection is authenticated, frame headers included. @default 8192 */
  readonly preAuthBytes: number
  /** Characters of a token. @default 4096 */
  readonly tokenLength: number
  /** Nesting of the first message. @default 4 */
  readonly preAuthDepth: number
  /** Unauthenticated sockets of one IPv4 address, or one IPv6 /64; further ones get 429. @default 20 */
  readonly pendingPerAddress: number
  /** Unauthenticated sockets in all; then the oldest of them has to go. @default 1000 */
  readonly pending: number
  /** Bytes of a message. @default 65536 */
  readonly messageBytes: number
  /** Fragments of a message. @default 64 */
  readonly fragments: number
  /** Nesting of a message. @default 32 */
  readonly messageDepth: number
  /** Messages a second, pings included. @default 50 */
  readonly messagesPerSecond: number
  /** Messages at once. @default 100 */
  readonly burst: number
  /** Messages whose handlers have not finished; then nothing more is read. @default 32 */
  readonly inFlight: number
  /** Connections of one subject. @default 10 */
  readonly socketsPerSubject: number
  /** Bytes waiting to be sent that a client may have for `sendBufferMs`. @default 1048576 */
  readonly sendBufferBytes: number
  /** @default 5000 */
  readonly sendBufferMs: number
  /** Bytes waiting to be sent at which it is over at once. @default 4194304 */
  readonly sendBufferMaxBytes: number
  /** Milliseconds between pings. @default 25000 */
  readonly pingMs: number
  /** Milliseconds in which something has to come back. @default 10000 */
  readonly pongMs: number
  /** Seconds between two authentications of one connection. @default 10 */
  readonly reauthSeconds: number
  /** Seconds that a connection may live however often it authenticates; `Infinity` for no end. @default 86400 */
  readonly sessionSeconds: number
  /** Milliseconds between the close frame and the end of the TCP connection, whatever the client does. @default 250 */
  readonly closeMs: number
}

const bounds: { readonly [Name in keyof Limits]: readonly [standard: number, least: number, most: number] } = {
  authMs: [5000, 100, 60_000],
  verifyMs: [2000, 50, 60_000],
  preAuthBytes: [8192, 512, 65_536],
  tokenLength: [4096, 128, 65_536],
  preAuthDepth: [4, 1, 32],
  pendingPerAddress: [20, 1, 100_000],
  pending: [1000, 1, 100_000],
  messageBytes: [65_536, 1024, 104_857_600],
  fragments: [64, 1, 16_384],
  messageDepth: [32, 1, 512],
  messagesPerSecond: [50, 1, 100_000],
  burst: [100, 1, 100_000],
  inFlight: [32, 1, 10_000],
  socketsPerSubject: [10, 1, 1_000_000],
  sendBufferBytes: [1_048_576, 1024, 1_073_741_824],
  sendBufferMs: [5000, 100, 600_000],
  sendBufferMaxBytes: [4_194_304, 1024, 1_073_741_824],
  pingMs: [25_000, 100, 3_600_000],
  pongMs: [10_000, 100, 3_600_000],
  reauthSeconds: [10, 0, 3600],
  sessionSeconds: [86_400, 1, Number.POSITIVE_INFINITY],
  closeMs: [250, 1, 30_000],
}

/** The limits of a server that sets none. */
export const defaultLimits: Limits = Object.freeze(
  Object.fromEntries(Object.entries(bounds).map(([name, [standard]]) => [name, standard])) as unknown as Limits,
)

/** @throws WebSocketError `bad_option` for a number out of its bounds, or a name that is no limit */
export function chooseLimits(given: Partial<Limits> = {}): Limits {
  const chosen: Record<string, number> = { ...defaultLimits }
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue
    const bound = Object.hasOwn(bounds, name) ? bounds[name as keyof Limits] : undefined
    if (bound === undefined) throw new WebSocketError('bad_option', `There is no limit \`${name}\`.`)
    const [, least, most] = bound
    if (typeof value !== 'number' || !(value >= least && value <= most)) {
      throw new WebSocketError('bad_option', `\`limits.${name}\` must be a number from ${least} to ${most}.`)
    }
    chosen[name] = value
  }
  const limits = chosen as unknown as Limits
  if (limits.tokenLength >= limits.preAuthBytes) {
    throw new WebSocketError('bad_option', '`limits.tokenLength` must leave room in `limits.preAuthBytes`.')
  }
  if (limits.preAuthBytes > limits.messageBytes) {
    throw new WebSocketError('bad_option', '`limits.preAuthBytes` must not be above `limits.messageBytes`.')
  }
  return limits
}
