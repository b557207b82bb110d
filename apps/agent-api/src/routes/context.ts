import type { RouteContext } from '@countersign-apps/kit'
import type { Agent } from '../agents.ts'
import type { Checkout } from '../checkout.ts'
import type { Conversation } from '../conversations.ts'
import type { OwnedStore } from '../owned-store.ts'
import type { Scope } from '../scopes.ts'
import type { Support } from '../support.ts'
import type { UsageLog } from '../usage-log.ts'

/** What the routes share. */
export interface Shared {
  readonly agents: OwnedStore<Agent>
  readonly conversations: OwnedStore<Conversation>
  readonly usage: UsageLog
  readonly checkout: Checkout
  readonly support: Support
  readonly clock: { now(): number }
  newId(): string
}

export type Context = Shared & RouteContext<Scope>
