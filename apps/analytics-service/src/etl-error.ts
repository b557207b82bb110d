export const etlErrorCodes = ['source_unavailable', 'source_refused', 'source_invalid', 'cursor_moved'] as const

export type EtlErrorCode = (typeof etlErrorCodes)[number]

export const etlRemedies: Readonly<Record<EtlErrorCode, string>> = {
  source_unavailable: 'Check AGENT_API and run it again: it goes on where it ended.',
  source_refused: 'Check that the client may have tokens for agent-api with the scope usage:read.',
  source_invalid: 'Check that AGENT_API is the address of agent-api, of a version that fits.',
  cursor_moved: 'Another run loads into the same database: let it end.',
}

/** Why a run ended before everything was loaded. What was loaded stays, and the next run goes on behind it. */
export class EtlError extends Error {
  override readonly name = 'EtlError'
  readonly code: EtlErrorCode
  readonly remedy: string
  constructor(code: EtlErrorCode, message: string) {
    super(message)
    this.code = code
    this.remedy = etlRemedies[code]
  }
}
