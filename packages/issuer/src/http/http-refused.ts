import type { IssuerError, IssuerErrorCode } from '../errors.ts'

/** A refusal with a status of its own. */
export class HttpRefused extends Error {
  override readonly name = 'HttpRefused'
  readonly status: number
  readonly error: IssuerError
  /** Ends the connection: what is left of the body is not worth reading. */
  readonly hangUp: boolean
  /** What the body says beside the error. */
  readonly members: Readonly<Record<string, string>>
  constructor(status: number, error: IssuerError, also: { hangUp?: boolean; members?: Record<string, string> } = {}) {
    super(error.message)
    this.status = status
    this.error = error
    this.hangUp = also.hangUp ?? false
    this.members = also.members ?? {}
  }
}

/** RFC 6749 section 5.2: 400 unless said otherwise. */
export function statusOf(code: IssuerErrorCode): number {
  switch (code) {
    case 'invalid_client':
      return 401
    case 'rate_limited':
      return 429
    case 'temporarily_unavailable':
      return 503
    case 'server_error':
      return 500
    default:
      return 400
  }
}
