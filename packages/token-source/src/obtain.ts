import { isTokenSourceError, TokenSourceError } from './errors.ts'
import type { Grant, RefreshToken, StoredTokens, Target, TokenExchange, TokenStore } from './options.ts'
import { type Answer, type RequestToken, tokenExchange } from './request-token.ts'

export interface Obtained {
  readonly accessToken: string
  readonly lifeSeconds: number | undefined
}

/** Gets an access token; never the one that was refused. */
export type Obtain = (refused: string | undefined) => Promise<Obtained>

export function createObtain(grant: Grant, request: RequestToken, now: () => number): Obtain {
  switch (grant.type) {
    case 'client_credentials':
      return () => request('client_credentials', parametersOf(grant))
    case 'token_exchange':
      return async () => exchange(grant, request)
    case 'refresh_token':
      return (refused) => new StoredSession(grant, request, now).obtain(refused)
    default:
      throw new TokenSourceError('bad_option', 'grant.type must be client_credentials, token_exchange or refresh_token')
  }
}

function parametersOf({ audience, resource, scope, parameters }: Target): Record<string, string> {
  return {
    ...parameters,
    ...(audience === undefined ? {} : { audience }),
    ...(resource === undefined ? {} : { resource }),
    ...(scope === undefined ? {} : { scope }),
  }
}

const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token'

async function exchange(grant: TokenExchange, request: RequestToken): Promise<Answer> {
  const { subjectToken, subjectTokenType = accessTokenType } = grant
  return request(tokenExchange, {
    ...parametersOf(grant),
    subject_token: typeof subjectToken === 'string' ? subjectToken : await subjectToken(),
    subject_token_type: subjectTokenType,
  })
}

/** Seconds that a stored access token must still have for another process to use it. */
const storedLeast = 10

/** A session in a store that several processes may share: each refresh token is spent once. */
class StoredSession {
  readonly #grant: RefreshToken
  readonly #store: TokenStore
  readonly #request: RequestToken
  readonly #now: () => number
  constructor(grant: RefreshToken, request: RequestToken, now: () => number) {
    this.#grant = grant
    this.#store = grant.store
    this.#request = request
    this.#now = now
  }

  obtain(refused: string | undefined): Promise<Obtained> {
    const work = (): Promise<Obtained> => this.#loadOrRefresh(refused)
    return this.#store.exclusive === undefined ? work() : this.#store.exclusive(work)
  }

  async #loadOrRefresh(refused: string | undefined): Promise<Obtained> {
    const stored = await this.#load()
    const { accessToken, expiresAt = 0 } = stored
    const lifeSeconds = expiresAt - this.#now()
    if (accessToken !== undefined && accessToken !== refused && lifeSeconds > storedLeast)
      return { accessToken, lifeSeconds }
    try {
      return await this.#refresh(stored)
    } catch (error) {
      if (!isTokenSourceError(error) || error.code !== 'grant_refused') throw error
      // Another process may have spent it a moment ago; what it got is in the store then.
      const newer = await this.#load()
      if (newer.refreshToken === stored.refreshToken) throw error
      return this.#refresh(newer)
    }
  }

  async #refresh({ refreshToken }: StoredTokens): Promise<Obtained> {
    const askedAt = this.#now()
    const answer = await this.#request('refresh_token', { ...parametersOf(this.#grant), refresh_token: refreshToken })
    const { accessToken, lifeSeconds } = answer
    await this.#save({
      refreshToken: answer.refreshToken ?? refreshToken,
      accessToken,
      ...(lifeSeconds === undefined ? {} : { expiresAt: Math.floor(askedAt + lifeSeconds) }),
    })
    return answer
  }

  async #load(): Promise<StoredTokens> {
    const stored = await this.#guarded(() => this.#store.load(), 'read')
    if (stored === undefined) throw new TokenSourceError('no_refresh_token', 'nobody is signed in')
    return stored
  }

  #save(tokens: StoredTokens): Promise<void> {
    return this.#guarded(() => this.#store.save(tokens), 'written')
  }

  async #guarded<T>(work: () => Promise<T>, done: string): Promise<T> {
    try {
      return await work()
    } catch (cause) {
      throw new TokenSourceError('store_failed', `the store of tokens could not be ${done}`, { cause })
    }
  }
}
