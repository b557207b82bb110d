import { systemClock } from '@countersign/tokens'
import { checkKeepOptions, within } from './check-options.ts'
import { TokenSourceError } from './errors.ts'
import { createObtain } from './obtain.ts'
import type { GetTokenOptions, KeepOptions, ServerOptions, TokenExchange } from './options.ts'
import { createRequest } from './request-token.ts'
import { TokenKeeper } from './token-keeper.ts'

export interface TokenExchangerOptions
  extends ServerOptions,
    KeepOptions,
    Omit<TokenExchange, 'type' | 'subjectToken'> {
  /** Subject tokens whose exchanged token is held; the one asked for longest ago makes room. 1 to 100,000. @default 1_000 */
  readonly maxSubjects?: number
}

/** Many people's tokens, each exchanged once while its result lives. */
export interface TokenExchanger {
  /**
   * The token that this subject token was exchanged for.
   *
   * @throws TokenSourceError with the reason: `grant_refused` when the subject token has ended or is not ours to exchange
   */
  readonly getToken: (subjectToken: string, options?: GetTokenOptions) => Promise<string>
  /** How many are held. */
  readonly size: number
  close(): void
}

/**
 * For a service that calls another in its callers' names (RFC 8693). Nothing is renewed ahead: the subject token of a request
 * may be gone by then.
 *
 * @throws TokenSourceError `bad_option`
 */
export function createTokenExchanger(options: TokenExchangerOptions): TokenExchanger {
  const { clock = systemClock, onEvent } = options
  const maxSubjects = within(options.maxSubjects, 1_000, [1, 100_000], 'maxSubjects')
  const keep = checkKeepOptions(options)
  const request = createRequest(options)
  const keepers = new Map<string, TokenKeeper>()
  let closed = false

  function keeperOf(subjectToken: string): TokenKeeper {
    const known = keepers.get(subjectToken)
    keepers.delete(subjectToken)
    const grant: TokenExchange = { ...options, type: 'token_exchange', subjectToken }
    const obtain = createObtain(grant, request, () => clock.now())
    const keeper = known ?? new TokenKeeper({ ...keep, obtain, clock, ahead: false, random: Math.random, onEvent })
    keepers.set(subjectToken, keeper)
    for (const [oldest] of keepers) {
      if (keepers.size <= maxSubjects) break
      keepers.delete(oldest)
    }
    return keeper
  }

  return {
    async getToken(subjectToken, asked = {}) {
      if (closed) throw new TokenSourceError('closed', 'The token exchanger is closed.')
      const keeper = keeperOf(subjectToken)
      try {
        return await keeper.get(asked)
      } catch (error) {
        // What cannot be exchanged is not remembered: strangers' tokens would push out the good ones.
        if (keeper.leftMs === 0 && keepers.get(subjectToken) === keeper) keepers.delete(subjectToken)
        throw error
      }
    },
    get size() {
      return keepers.size
    },
    close() {
      closed = true
      for (const keeper of keepers.values()) keeper.close()
      keepers.clear()
    },
  }
}
