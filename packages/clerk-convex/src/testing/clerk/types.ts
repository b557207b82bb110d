import type {
  APIKey,
  DeletedObjectJSON,
  M2MToken,
  OrganizationJSON,
  OrganizationMembershipJSON,
  SessionJSON,
  TokenJSON,
  UserJSON,
} from '@clerk/backend'

/** What Clerk's own deserialiser takes: a member that it adds and the stand-in lacks does not compile. */
export type ApiKeyJson = Parameters<(typeof APIKey)['fromJSON']>[0]
export type M2MTokenJson = Parameters<(typeof M2MToken)['fromJSON']>[0]

export type { DeletedObjectJSON, OrganizationJSON, OrganizationMembershipJSON, SessionJSON, TokenJSON, UserJSON }

/** A machine, and the secret that it makes M2M tokens with. */
export interface FakeMachine {
  readonly id: string
  readonly name: string
  readonly secretKey: string
}

/** Clerk's answer to what it does not accept: `{ errors: [{ code, message }] }`. */
export class ApiFault extends Error {
  readonly status: number
  readonly code: string
  readonly retryAfterSeconds: number | undefined
  constructor(status: number, code: string, retryAfterSeconds?: number) {
    super(code)
    this.status = status
    this.code = code
    this.retryAfterSeconds = retryAfterSeconds
  }
}
