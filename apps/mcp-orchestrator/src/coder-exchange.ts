import type { Exchange } from '@countersign/mcp/v2'
import { type ClientOptions, createTokenExchanger } from '@countersign/token-source'
import { consumers } from '@countersign-apps/token-service/consumers'
import type { CoderScope } from './scopes.ts'
import { coderScopes } from './tasks/steps.ts'

export interface CoderExchangeOptions {
  readonly issuer: string
  /** The orchestrator's own account, named like its audience. */
  readonly client: ClientOptions
}

export interface CoderExchange {
  readonly exchange: Readonly<Record<CoderScope, Exchange>>
  close(): void
}

/** An exchange (RFC 8693) for each scope of the coder's, so that a step's token is good for that step and no more. */
export function createCoderExchange({ issuer, client }: CoderExchangeOptions): CoderExchange {
  const { audience } = consumers['mcp-coder']
  const exchangers = coderScopes.map((scope) => {
    const patienceMs = 5_000
    return [scope, createTokenExchanger({ issuer, client, audience, scope, patienceMs })] as const
  })
  const exchange = Object.fromEntries(exchangers.map(([scope, { getToken }]) => [scope, getToken]))
  return {
    exchange: exchange as Record<CoderScope, Exchange>,
    close: () => {
      for (const [, exchanger] of exchangers) exchanger.close()
    },
  }
}
