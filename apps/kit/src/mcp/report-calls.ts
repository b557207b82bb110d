import type { McpEvent } from '@countersign/mcp'
import type { Logger } from '@countersign/observability'

/** What the guard of an MCP server reports, as log lines: one for each call, with who called through whom. */
export function reportCalls(logger: Logger): (event: McpEvent) => void {
  return (event) => {
    if (event.type === 'refused') return logger.warn('mcp request refused', { reason: event.reason })
    if (event.type === 'fault') return logger.error('an mcp request could not be answered', { error: event.cause })
    const { issuer, subject, clientId, actors, tokenId } = event.caller ?? {}
    const caller = {
      ...(issuer === undefined ? {} : { issuer }),
      ...(subject === undefined ? {} : { subject }),
      ...(clientId === undefined ? {} : { client: clientId }),
      ...(actors === undefined || actors.length === 0 ? {} : { actor: actors.join(' < ') }),
      ...(tokenId === undefined ? {} : { token_id: tokenId }),
    }
    if (event.type === 'ended') return logger.info('mcp streams ended', { reason: event.reason, ...caller })
    logger.info('mcp call', {
      method: event.method,
      outcome: event.decision,
      ...(event.name === undefined ? {} : { target: event.name }),
      ...(event.code === undefined ? {} : { code: event.code }),
      ...(event.missingScopes === undefined ? {} : { missing_scopes: [...event.missingScopes] }),
      ...(event.traceId === undefined ? {} : { trace_id: event.traceId }),
      ...caller,
    })
  }
}
