import type { Guard } from '@countersign/guard'
import type { Clock } from '@countersign/tokens'
import type { Delegation } from './delegation.ts'
import type { OperatorsIssuer, ShownRing } from './desk.ts'
import type { HelpDesk } from './help-desk.ts'
import type { OperatorSessions } from './operator-sessions.ts'
import type { RevocationBoard } from './revocation-board.ts'
import type { Scope } from './scopes.ts'

/** What routes and page share. */
export interface Context {
  readonly guard: Guard<Scope>
  readonly issuer: OperatorsIssuer
  readonly rings: readonly ShownRing[]
  readonly board: RevocationBoard
  readonly help: HelpDesk
  readonly delegation: Delegation
  readonly operators: OperatorSessions
  readonly clock: Clock
  /** Of the page, as a browser names them. */
  readonly origins: ReadonlySet<string>
  /** Told of what was answered with 500. */
  readonly onFault: (error: unknown) => void
}
