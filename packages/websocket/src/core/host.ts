import type { Decision } from '@countersign/guard'
import type { Principal } from '@countersign/tokens'
import type { Connection, MessageHandler } from './connection.ts'
import type { WebSocketEvent } from './events.ts'
import type { Limits } from './limits.ts'
import type { CoreOptions } from './options.ts'
import type { Schedule } from './schedule.ts'

/** What a session asks of what it shares with the others. */
export interface SessionHost<Scope extends string> {
  readonly options: CoreOptions<Scope>
  readonly limits: Limits
  readonly schedule: Schedule
  /** The first frame of every socket. */
  readonly authRequired: string
  readonly handlers: ReadonlyMap<string, MessageHandler<Scope>>
  readonly onConnection: readonly ((connection: Connection<Scope>) => void)[]
  nameOf(number: number): string
  speaks(protocol: string): boolean
  admit(token: string): Promise<Decision>
  permits(principal: Principal, scopes?: readonly Scope[]): boolean
  holds(principal: Principal, scopes: readonly Scope[]): boolean
  watch(principal: Principal, onEnd: (end: { readonly reason: 'expired' | 'revoked' | 'stale' }) => void): () => void
  noLongerPending(session: Connection<Scope>, address: string): void
  takePlace(principal: Principal): boolean
  givePlaceBack(principal: Principal): void
  forget(session: Connection<Scope>): void
  report(event: WebSocketEvent): void
}
