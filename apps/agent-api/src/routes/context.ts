import type { AuthRouter, ExpressAuth } from '@countersign/express'
import type { Agent } from '../agents.ts'
import type { Checkout } from '../checkout.ts'
import type { Conversation } from '../conversations.ts'
import type { OwnedStore } from '../owned-store.ts'
import type { Scope } from '../scopes.ts'
import type { Support } from '../support.ts'
import type { UsageLog } from '../usage-log.ts'

/** What the routes share. */
export interface Context {
  readonly auth: ExpressAuth<Scope>
  readonly router: AuthRouter<Scope>
  readonly agents: OwnedStore<Agent>
  readonly conversations: OwnedStore<Conversation>
  readonly usage: UsageLog
  readonly checkout: Checkout
  readonly support: Support
  readonly clock: { now(): number }
  newId(): string
}
