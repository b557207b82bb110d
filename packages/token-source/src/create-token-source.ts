import { systemClock } from '@countersign/tokens'
import { checkKeepOptions } from './check-options.ts'
import { createObtain } from './obtain.ts'
import type { GetTokenOptions, TokenSourceOptions } from './options.ts'
import { createRequest } from './request-token.ts'
import { TokenKeeper } from './token-keeper.ts'

/** One token, always fresh. */
export interface TokenSource {
  /**
   * The token that is held, or a new one; all who ask at the same time wait for one request. It has at least 5 s left (a
   * tenth of its life if that is less), in an outage of the server whatever is left. An arrow, so that it can be handed on.
   *
   * @throws TokenSourceError with the reason; the signal's reason when it is aborted
   */
  readonly getToken: (options?: GetTokenOptions) => Promise<string>
  /** No further requests; the token is forgotten, not revoked. */
  close(): void
}

/**
 * Gets an access token and keeps it: renewed between 70 and 80 % of its life while it is in use, kept through an outage of
 * the server as long as it lives, tried again with full jitter (up to 30 s apart).
 *
 * @throws TokenSourceError `bad_option`
 */
export function createTokenSource(options: TokenSourceOptions): TokenSource {
  const { clock = systemClock } = options
  const keeper = new TokenKeeper({
    ...checkKeepOptions(options),
    obtain: createObtain(options.grant, createRequest(options), () => clock.now()),
    clock,
    ahead: true,
    random: Math.random,
    onEvent: options.onEvent,
  })
  return { getToken: async (asked = {}) => keeper.get(asked), close: () => keeper.close() }
}
