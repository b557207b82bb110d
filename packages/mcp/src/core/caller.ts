import type { Actor, Principal } from '@countersign/tokens'
import type { Call, Exchange, TokenForOptions } from '../call.ts'
import { McpGuardError } from '../errors.ts'
import type { CallerIdentity } from '../events.ts'

export type Exchanges = Readonly<Record<string, Exchange | undefined>>

/** Whom a message speaks for, with the token behind it: only the exchanges that were given at the start ever see it. */
export class Caller {
  readonly principal: Principal | undefined
  readonly #token: string | undefined
  readonly #exchanges: Exchanges

  constructor(principal: Principal | undefined, token: string | undefined, exchanges: Exchanges) {
    this.principal = principal
    this.#token = token
    this.#exchanges = exchanges
  }

  /** Who owns a session: not the token, which is renewed while a session lasts. */
  get owner(): string {
    const { principal } = this
    return principal === undefined ? '' : ownerOf(principal)
  }

  async tokenFor(target: string, options?: TokenForOptions): Promise<string> {
    const exchange = Object.hasOwn(this.#exchanges, target) ? this.#exchanges[target] : undefined
    if (exchange === undefined) {
      throw new McpGuardError('bad_option', `There is no exchange ${JSON.stringify(target)} in the options.`)
    }
    if (this.#token === undefined) throw new McpGuardError('no_caller', 'Nobody presented a token with this call.')
    const token = await exchange(this.#token, options)
    if (token === this.#token) {
      throw new McpGuardError('token_passed_on', `The exchange ${JSON.stringify(target)} gave the caller's own token.`)
    }
    return token
  }
}

export function ownerOf({ issuer, subject, clientId = '' }: Principal): string {
  return JSON.stringify([issuer, subject, clientId])
}

export function identityOf({ issuer, subject, clientId, actor, tokenId }: Principal): CallerIdentity {
  const actors: string[] = []
  for (let one: Actor | undefined = actor; one !== undefined; one = one.actor) actors.push(one.clientId ?? one.subject)
  return {
    ...{ issuer, subject, actors },
    ...(clientId === undefined ? {} : { clientId }),
    ...(tokenId === undefined ? {} : { tokenId }),
  }
}

/** One admitted message on its way to a handler. */
export interface Ticket {
  readonly caller: Caller
  /** Aborts when the caller hangs up, or its token ends. */
  readonly signal: AbortSignal | undefined
  readonly traceId: string | undefined
  /** Has the token watched for as long as the work takes, also when nobody waits for the answer any more. */
  readonly whileRunning?: (work: Promise<unknown>) => void
}

/** What a handler gets. Two signals are joined only for who asks. */
export function makeCall<Native>(
  { caller, signal, traceId }: Ticket,
  mcp: Native,
  sdkSignal: AbortSignal | undefined,
): Call<Native, string, Principal | undefined> {
  let joined: AbortSignal | undefined
  return {
    ...{ principal: caller.principal, traceId, mcp },
    get signal() {
      joined ??= AbortSignal.any([signal, sdkSignal].filter((one) => one !== undefined))
      return joined
    },
    tokenFor: (target, options) => caller.tokenFor(target, options),
  }
}

/** `AuthInfo` of both SDKs. */
export interface BlankAuthInfo {
  token: ''
  clientId: string
  scopes: string[]
  expiresAt?: number
}

/** What the SDK and its handlers see of the token: everything but the token. */
export function authInfoOf({ caller: { principal } }: Pick<Ticket, 'caller'>): BlankAuthInfo {
  if (principal === undefined) return { token: '', clientId: '', scopes: [] }
  const { clientId = '', scopes, expiresAt } = principal
  return { token: '', clientId, scopes: [...scopes], expiresAt }
}
