import type { Decision, PrincipalEnd } from '@countersign/guard'
import type { Principal } from '@countersign/tokens'
import type { Connection, MessageHandler } from './connection.ts'
import type { WebSocketEvent } from './events.ts'
import type { Limits } from './limits.ts'
import type { CoreOptions } from './options.ts'
import type { Schedule } from './schedule.ts'
import type { Session } from './session.ts'

/** What a session asks of what it shares with the others. */
export interface SessionHost<Scope extends string> {
  readonly options: CoreOptions<Scope>
  readonly limits: Limits
  readonly schedule: Schedule<Session<Scope>>
  /** The first frame of every socket. */
  readonly authRequired: string
  readonly handlers: ReadonlyMap<string, MessageHandler<Scope>>
  readonly onConnection: readonly ((connection: Connection<Scope>) => void)[]
  nameOf(number: number): string
  speaks(protocol: string): boolean
  admit(token: string): Promise<Decision>
  permits(principal: Principal, scopes?: readonly Scope[]): boolean
  holds(principal: Principal, scopes: readonly Scope[]): boolean
  watch(principal: Principal, onEnd: (end: PrincipalEnd) => void): () => void
  noLongerPending(session: Session<Scope>): void
  takePlace(principal: Principal): boolean
  givePlaceBack(principal: Principal): void
  forget(session: Session<Scope>): void
  report(event: WebSocketEvent): void
}
