import { createTokenSource, isTokenSourceError, type TokenStore } from '@countersign/token-source'
import { CliError } from '../failure.ts'
import type { CliIo } from '../io.ts'
import type { Session } from './session.ts'
import type { SessionStore } from './session-store.ts'
import { explainDamage } from './store-damage.ts'

export interface AccessTokenOptions {
  /** Seconds that the token must be good for; half of its whole life if that is less. `Infinity`: a new one. */
  readonly leastSeconds: number
  /** How long to wait for a service that cannot be reached. */
  readonly patienceMs: number
}

/** An outage hands out what is left of the last token, down to this. */
const leastInOutageSeconds = 5

export interface AccessToken {
  readonly session: Session
  /** The service could not be asked for a new one: this is the last one, with less life than was wanted. */
  readonly outage: boolean
}

/**
 * The session with an access token that is good for long enough. It is refreshed where needed, by one process at a time,
 * and the next refresh token is on the disk before this returns.
 * @throws CliError `not_signed_in`, `session_ended`, `unreachable`, `store_damaged`, `busy`; TokenSourceError for the rest
 */
export async function accessTokenOf(
  store: SessionStore,
  issuer: string,
  io: Pick<CliIo, 'fetch' | 'clock'>,
  { leastSeconds, patienceMs }: AccessTokenOptions,
): Promise<AccessToken> {
  const present = await store.read(issuer)
  if (present === undefined) throw new CliError('not_signed_in', `Nobody is signed in to ${issuer} here.`)
  // Without the lock: whoever has a good token must not wait for another process's slow service.
  if (isFresh(present)) return { session: present, outage: false }

  const source = createTokenSource({
    issuer,
    client: { id: present.client },
    grant: { type: 'refresh_token', store: tokenStore() },
    fetch: io.fetch,
    clock: io.clock,
    patienceMs,
  })
  try {
    await source.getToken()
  } catch (error) {
    return await afterFailure(error)
  } finally {
    source.close()
  }
  return { session: await current(), outage: false }

  function isFresh({ accessFrom, accessUntil }: Session): boolean {
    if (leastSeconds === Number.POSITIVE_INFINITY) return false
    return accessUntil - io.clock.now() >= Math.min(leastSeconds, (accessUntil - accessFrom) / 2)
  }

  async function current(): Promise<Session> {
    const session = await store.read(issuer)
    if (session === undefined) throw new CliError('not_signed_in', `The session at ${issuer} was signed out meanwhile.`)
    return session
  }

  function tokenStore(): TokenStore {
    return {
      async load() {
        const session = await store.read(issuer)
        if (session === undefined) return undefined
        const { refreshToken, accessToken, accessUntil } = session
        // Another process may have refreshed while this one waited for the lock.
        return isFresh(session) ? { refreshToken, accessToken, expiresAt: accessUntil } : { refreshToken }
      },
      async save({ refreshToken, accessToken = '', expiresAt = 0 }) {
        const accessFrom = Math.floor(io.clock.now())
        await store.write({ ...(await current()), refreshToken, accessToken, accessFrom, accessUntil: expiresAt })
      },
      exclusive: (work) => store.exclusive(issuer, work),
    }
  }

  async function afterFailure(error: unknown): Promise<AccessToken> {
    const explained = explainDamage(store.folder, error)
    if (!isTokenSourceError(explained)) throw explained
    switch (explained.code) {
      case 'no_refresh_token':
        throw new CliError('not_signed_in', `Nobody is signed in to ${issuer} here any more.`)
      case 'grant_refused':
        throw new CliError('session_ended', `The session at ${issuer} has ended: it expired or was revoked.`)
      case 'unavailable': {
        const session = await current()
        const left = session.accessUntil - io.clock.now()
        if (leastSeconds !== Number.POSITIVE_INFINITY && left >= leastInOutageSeconds) return { session, outage: true }
        throw new CliError('unreachable', `${issuer} gave no new token: ${explained.message}`)
      }
      default:
        throw explained
    }
  }
}
