import type { Principal } from '@countersign/tokens'

/** Turns the caller's token into another one: `getToken` of a `createTokenExchanger` of `@countersign/token-source`. */
export type Exchange = (subjectToken: string, options?: TokenForOptions) => Promise<string>

export interface TokenForOptions {
  /** `'rejected'`: the server refused the token that was got, so another one is wanted. */
  readonly reason?: string
  /** With `rejected`: the token that was refused. */
  readonly token?: string
  readonly signal?: AbortSignal
}

/** What a handler gets beside its arguments. The caller's token is not among it, nor anywhere in `mcp`. */
export interface Call<Native, Target extends string = never, P extends Principal | undefined = Principal> {
  /** Whom the call speaks for; `undefined` only for what is public. */
  readonly principal: P
  /**
   * Aborts when the caller cancels, when its token expires or is revoked, and when it hangs up; not at that where it has a
   * session, with which it may come back.
   */
  readonly signal: AbortSignal
  /** Of the caller's `traceparent` (W3C Trace Context): 32 hexadecimal digits. */
  readonly traceId: string | undefined
  /**
   * A token for another server in the caller's name, from the exchange of that name in `guardMcp`'s options. The caller's
   * own token never leaves for it.
   *
   * @throws McpGuardError `no_caller` for a public call without a token, `token_passed_on` when the exchange hands back
   * the caller's own; whatever the exchange throws
   */
  tokenFor(target: Target, options?: TokenForOptions): Promise<string>
  /** The SDK's own context of the call. */
  readonly mcp: Native
}
