import { hash, randomBytes } from 'node:crypto'
import { type Issuer, isIssuerError, type TokenAnswer } from '@countersign/issuer'
import type { Clock } from '@countersign/tokens'
import { operatorScopes } from './scopes.ts'

/** Somebody who is signed in to the page. Tokens stay here; the browser has a random value that stands for them. */
export interface OperatorSession {
  /** What they typed to sign in. */
  readonly name: string
  readonly token: string
}

interface Kept {
  name: string
  token: string
  expiresAt: number
  refreshToken: string | undefined
  readonly openedAt: number
  usedAt: number
  refreshing: Promise<boolean> | undefined
}

export type SignInOutcome =
  | { readonly cookie: string }
  | { readonly refused: 'wrong' | 'not_an_operator' | 'unavailable' }
  | { readonly refused: 'throttled'; readonly retryAfterSeconds: number }

export interface OperatorSessionsOptions {
  readonly issuer: Pick<Issuer, 'signIn' | 'refresh' | 'signOut'>
  /** The public client through which operators sign in. */
  readonly app: string
  readonly clock: Clock
  /** Told of sign-outs that failed with nobody there to be told. */
  readonly onFault: (error: unknown) => void
  readonly limits?: {
    /** Without a request. @default 1_800 */
    readonly idleSeconds?: number
    /** @default 28_800: 8 h */
    readonly absoluteSeconds?: number
    /** Signed in at once; the longest unused makes room. @default 1_000 */
    readonly sessions?: number
  }
}

/** A token that ends sooner is replaced first, so that it lasts for what is done with it. */
const renewBeforeSeconds = 30
const audience = 'support-console'

/** Operators' sign-ins: the tokens of each, by the hash of the value in their cookie. */
export class OperatorSessions {
  readonly #options: OperatorSessionsOptions
  readonly #limits: { readonly idleSeconds: number; readonly absoluteSeconds: number; readonly sessions: number }
  readonly #kept = new Map<string, Kept>()

  constructor(options: OperatorSessionsOptions) {
    this.#options = options
    this.#limits = { idleSeconds: 1_800, absoluteSeconds: 28_800, sessions: 1_000, ...options.limits }
  }

  /** @param address the browser's, under which failures are counted */
  async signIn(name: string, secret: string, address: string | undefined): Promise<SignInOutcome> {
    const { issuer, app, clock } = this.#options
    const client = { method: 'none', clientId: app } as const
    let tokens: TokenAnswer
    try {
      const from = address === undefined ? {} : { address }
      tokens = await issuer.signIn({ client, identifier: name, secret, audience, ...from })
    } catch (error) {
      if (!isIssuerError(error)) throw error
      if (error.code === 'invalid_grant') return { refused: 'wrong' }
      if (error.code === 'temporarily_unavailable') return { refused: 'unavailable' }
      if (error.code !== 'rate_limited') throw error
      return { refused: 'throttled', retryAfterSeconds: error.retryAfterSeconds ?? 60 }
    }
    const held = new Set(tokens.scope.split(' '))
    if (!operatorScopes.some((scope) => held.has(scope))) {
      await issuer.signOut({ token: tokens.accessToken, deliveredBy: 'header' })
      return { refused: 'not_an_operator' }
    }
    const cookie = randomBytes(32).toString('base64url')
    const now = clock.now()
    this.#makeRoom(now)
    this.#kept.set(keyOf(cookie), {
      name,
      token: tokens.accessToken,
      expiresAt: now + tokens.expiresInSeconds,
      refreshToken: tokens.refresh?.token,
      openedAt: now,
      usedAt: now,
      refreshing: undefined,
    })
    return { cookie }
  }

  /** Whose cookie it is, with a token that lasts for a while; undefined if that sign-in is over. */
  async find(cookie: string): Promise<OperatorSession | undefined> {
    const key = keyOf(cookie)
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    const now = this.#options.clock.now()
    if (this.#isOver(kept, now)) {
      this.#drop(key, kept)
      return undefined
    }
    kept.usedAt = now
    if (kept.expiresAt - now < renewBeforeSeconds) {
      // Once for all requests of a page: a refresh token is good for one use.
      kept.refreshing ??= this.#refresh(kept).finally(() => {
        kept.refreshing = undefined
      })
      if (!(await kept.refreshing)) {
        this.#kept.delete(key)
        return undefined
      }
    }
    return { name: kept.name, token: kept.token }
  }

  /** Ends it here, without a word to the issuer: what it was good for has ended there already. */
  forget(cookie: string): void {
    this.#kept.delete(keyOf(cookie))
  }

  /** Ends it here, and at the issuer with every token of it. */
  async signOut(cookie: string): Promise<void> {
    const key = keyOf(cookie)
    const kept = this.#kept.get(key)
    this.#kept.delete(key)
    if (kept !== undefined) await this.#endAtIssuer(kept)
  }

  /** Ends all of them, since their tokens go with this process. */
  async close(): Promise<void> {
    const all = [...this.#kept.values()]
    this.#kept.clear()
    await Promise.all(all.map((kept) => this.#endAtIssuer(kept).catch(this.#options.onFault)))
  }

  async #endAtIssuer({ refreshToken, token }: Kept): Promise<void> {
    await this.#options.issuer.signOut(
      refreshToken === undefined ? { token, deliveredBy: 'header' } : { token: refreshToken, deliveredBy: 'body' },
    )
  }

  /** Nobody waits for it: whoever it was is gone. */
  #drop(key: string, kept: Kept): void {
    this.#kept.delete(key)
    this.#endAtIssuer(kept).catch(this.#options.onFault)
  }

  /** @returns false if that sign-in is over */
  async #refresh(kept: Kept): Promise<boolean> {
    const { issuer, app, clock } = this.#options
    const { refreshToken } = kept
    if (refreshToken === undefined) return kept.expiresAt > clock.now()
    try {
      const client = { method: 'none', clientId: app } as const
      const tokens = await issuer.refresh({ client, refreshToken, deliveredBy: 'body' })
      kept.token = tokens.accessToken
      kept.expiresAt = clock.now() + tokens.expiresInSeconds
      kept.refreshToken = tokens.refresh?.token
      return true
    } catch (error) {
      if (!isIssuerError(error)) throw error
      // While the store is away the old one is good until it ends.
      return error.code === 'temporarily_unavailable' && kept.expiresAt > clock.now()
    }
  }

  #isOver(kept: Kept, now: number): boolean {
    const { idleSeconds, absoluteSeconds } = this.#limits
    if (kept.refreshToken === undefined && kept.expiresAt <= now) return true
    return now - kept.usedAt >= idleSeconds || now - kept.openedAt >= absoluteSeconds
  }

  #makeRoom(now: number): void {
    for (const [key, kept] of this.#kept) if (this.#isOver(kept, now)) this.#drop(key, kept)
    const byUse = [...this.#kept].sort(([, one], [, other]) => one.usedAt - other.usedAt)
    const tooMany = Math.max(0, byUse.length - this.#limits.sessions + 1)
    for (const [key, kept] of byUse.slice(0, tooMany)) this.#drop(key, kept)
  }
}

/** A copy of this process's memory has tokens; one of its keys alone has nothing that a browser could send. */
const keyOf = (cookie: string): string => hash('sha256', cookie, 'base64url')
