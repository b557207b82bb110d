import type { AccessTokenClaims, Clock } from '@countersign/tokens'
import { Core } from '../src/core/core.ts'
import type { WebSocketEvent } from '../src/core/events.ts'
import { chooseLimits, type Limits } from '../src/core/limits.ts'
import type { CoreOptions } from '../src/core/options.ts'
import type { Session } from '../src/core/session.ts'
import type { Transport } from '../src/core/transport.ts'
import { makeGuard, makeToken, type Scope, type TestRevocations, testRevocations } from './fixtures.ts'

export const NOW = 1_800_000_000

export interface TestClock extends Clock {
  /** Moves both clocks, and runs what is due. */
  advance(ms: number): void
  /** Somebody sets the wall clock. */
  set(ms: number): void
  /** A machine that slept: both clocks went on, timers could not run. */
  skip(ms: number): void
  readonly timers: number
}

export function testClock(): TestClock {
  let nowMs = 0
  let wallMs = 0
  let timers: { at: number; call: () => void }[] = []
  return {
    now: () => NOW + (nowMs + wallMs) / 1000,
    monotonicMs: () => nowMs,
    after(ms, call) {
      const timer = { at: nowMs + ms, call }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    advance(ms) {
      const end = nowMs + ms
      for (;;) {
        const next = timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at)[0]
        if (next === undefined) break
        timers = timers.filter((other) => other !== next)
        nowMs = Math.max(nowMs, next.at)
        next.call()
      }
      nowMs = end
    },
    set(ms) {
      wallMs += ms
    },
    skip(ms) {
      nowMs += ms
    },
    get timers() {
      return timers.length
    },
  }
}

/** A socket that only remembers; it never closes of its own accord, as that of a hostile peer. */
export class FakeTransport implements Transport {
  readonly protocol: string
  readonly frames: (string | Uint8Array)[] = []
  readonly pings: number[] = []
  closeCode: number | undefined
  isDestroyed = false
  isPaused = false
  isBudgeted = true
  unsent = 0
  pongs = 0
  constructor(protocol = 'wsauth.v1') {
    this.protocol = protocol
  }
  sendFrame(frame: string | Uint8Array): void {
    this.frames.push(frame)
  }
  sendPing(): void {
    this.pings.push(this.frames.length)
  }
  sendPong(): void {
    this.pongs += 1
  }
  closeFrame(code: number): void {
    this.closeCode = code
  }
  destroyNow(): void {
    this.isDestroyed = true
  }
  stopReading(): void {
    this.isPaused = true
  }
  goOnReading(): void {
    this.isPaused = false
  }
  unsentBytes(): number {
    return this.unsent
  }
  liftBudget(): void {
    this.isBudgeted = false
  }
  /** The frames since the last call. */
  take(): Record<string, unknown>[] {
    return this.frames.splice(0).map((frame) => JSON.parse(String(frame)))
  }
}

export interface CoreWorld {
  readonly core: Core<Scope>
  readonly clock: TestClock
  readonly events: WebSocketEvent[]
  readonly revocations: TestRevocations
  open(protocol?: string, address?: string): { session: Session<Scope>; transport: FakeTransport }
  /** Opens and authenticates. */
  ready(
    claims?: Partial<AccessTokenClaims>,
    protocol?: string,
  ): Promise<{ session: Session<Scope>; transport: FakeTransport }>
}

export const types = { 'chat.send': ['chat:write'], 'feed.read': ['agents:read'], hello: [] } as const

export function coreWorld(
  change: Partial<Omit<CoreOptions<Scope>, 'limits'>> & { limits?: Partial<Limits> } = {},
): CoreWorld {
  const clock = testClock()
  const events: WebSocketEvent[] = []
  const revocations = testRevocations()
  const core = new Core<Scope>({
    guard: makeGuard({ revocations, clock }),
    messages: new Map<string, readonly Scope[]>(Object.entries(types)),
    scopes: [],
    availability: undefined,
    refresh: () => true,
    envelopes: new Map(),
    plain: true,
    clock,
    random: () => 0.5,
    onEvent: (event) => events.push(event),
    ...change,
    limits: chooseLimits(change.limits),
  })
  const open = (protocol = 'wsauth.v1', address = '192.0.2.1') => {
    const transport = new FakeTransport(protocol)
    const session = core.open(transport, address)
    return { session, transport }
  }
  return {
    core,
    clock,
    events,
    revocations,
    open,
    async ready(claims = {}, protocol = 'wsauth.v1') {
      const opened = open(protocol)
      opened.session.receiveText(JSON.stringify({ type: 'auth', token: coreToken(claims, clock) }))
      await settled()
      if (opened.session.state !== 'ready') throw new Error(`closed with ${opened.transport.closeCode}`)
      opened.transport.take()
      return opened
    },
  }
}

export function coreToken(claims: Partial<AccessTokenClaims> = {}, clock?: Clock): string {
  const now = Math.floor(clock?.now() ?? NOW)
  return makeToken({ iat: now, exp: now + 600, ...claims })
}

/** Lets verifications end, which wait for nothing but their turn and WebCrypto's. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}
