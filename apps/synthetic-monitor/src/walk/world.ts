import type { Guard } from '@countersign/guard'
import type { Clock } from '@countersign/tokens'
import type { Ask } from '../ask.ts'
import type { AgentScope } from '../scopes.ts'

/** As whom a probe goes. */
export interface ProbeAccounts {
  /** A user marked synthetic. */
  readonly person: { readonly identifier: string; readonly secret: string }
  /** The first-party app that the person signs in with; a public client. */
  readonly app: string
  /** The service account marked synthetic that exchanges; its name is `synthetic-monitor`. */
  readonly client: { readonly id: string; readonly secret: string }
}

/** What all phases of a probe share. */
export interface World {
  /** Without a slash at its end. */
  readonly issuer: string
  /** Every instance of agent-api that is to be looked at, without a slash at its end; the first holds the WebSocket. */
  readonly agentApis: readonly [string, ...string[]]
  readonly accounts: ProbeAccounts
  /** Verifies for itself, by the issuer's keys and feed: what others do is held against it. */
  readonly control: Guard<AgentScope>
  readonly ask: Ask
  readonly clock: Clock
  /** For one answer over a WebSocket. */
  readonly timeoutMs: number
}
