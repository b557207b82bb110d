/** What a scope allows, beyond its name. */
export interface ScopeProperties {
  /** What it opens must not rest on an old decision: the first to be refused when revocation news is late. @default false */
  readonly sensitive?: boolean
  /** Changes something in the world, so it is not for a synthetic token. @default false */
  readonly sideEffects?: boolean
  /**
   * For operators: a person gets it only if their account names it (`users add --scope`), a service only if its client does
   * (`clients add --scope`). Without a list of its own, which may have everything else, neither gets it. @default false
   */
  readonly byName?: boolean
  /** One line for the matrix document. */
  readonly description?: string
}

export type ObtainedBy = 'sign-in' | 'client-credentials' | 'exchange'

/** One service that verifies tokens, with exactly one audience. */
export interface Consumer<Scope extends string = string> {
  readonly audience: string
  readonly description?: string
  readonly scopes: Readonly<Record<Scope, ScopeProperties>>
  /** 60 to 604,800; @default 600 */
  readonly accessTokenLifeSeconds: number
  /** @default 'EdDSA'; ES256 for a consumer that cannot verify Ed25519 */
  readonly algorithm: 'EdDSA' | 'ES256'
  readonly obtainedBy: readonly ObtainedBy[]
  /** How browser clients of this consumer keep the refresh token. @default 'none' */
  readonly refresh: 'cookie' | 'body' | 'none'
  /** RFC 8707 and RFC 9728: the resource's URL. `aud` is always the name. */
  readonly resource?: string
}

/** Who may exchange whose token for which audience (RFC 8693). */
export interface ExchangeEdge {
  /** The audience of the presented token. */
  readonly from: string
  /** The audience of the new one. */
  readonly to: string
  /** The most that the new token may be for: of these, what the presented one is for. */
  readonly scopes: readonly string[]
  /** With `impersonation` the new token does not name who acts; it is always in the audit log. @default 'delegation' */
  readonly as: 'delegation' | 'impersonation'
  /** Names of the clients that may do so. @default the one named like `from`: a service exchanges what was sent to it */
  readonly by: readonly string[]
  /** The request must say why; its words go to the audit log. @default false */
  readonly reason: boolean
}

/** The whole matrix, checked; consumers by audience. */
export interface ConsumerMatrix {
  readonly consumers: Readonly<Record<string, Consumer>>
  readonly edges: readonly ExchangeEdge[]
}
